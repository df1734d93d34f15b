//! A run: processes and clients are started, the plan happens, what is left is finished,
//! and the evidence gathered. Not here: what happens when (`plan`), what must hold (`oracle`).

use super::evidence::{Cut, Evidence, SESSION_IDLE_MS};
use super::history::Histories;
use super::oracle;
use super::plan::{Kill, Plan, StoreKind, What};
use super::postgres::CUT_OFF;
use super::stage::Stage;
use super::summary::{Counts, Summary};
use super::tables::Tables;
use super::watch::Watcher;
use super::worker::Worker;
use super::{Error, Result};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a process is waited for to come to its mark.
const TO_MARK: Duration = Duration::from_millis(900);
/// After so long without any commit, what runs does not end any more: longer than a lease.
const STUCK: Duration = Duration::from_mins(1);
/// How long after the last strike all may take, whatever is committed meanwhile.
const DRAIN: Duration = Duration::from_mins(5);
/// How long a replay of everything may take.
const REPLAY: Duration = Duration::from_mins(2);
/// How long an orderly end may take.
const STOP: Duration = Duration::from_secs(15);
/// How long after the last workflow leases, sessions and dead processes may still be known.
const SETTLE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// On which store.
    pub store: StoreKind,
    /// For how long processes are killed.
    pub seconds: u64,
    /// How many workflows the clients start meanwhile.
    pub workflows: u64,
    /// What the plan is drawn from.
    pub seed: u64,
}

/// Run it. The folder stays, when it is over, if something was found or failed.
///
/// # Errors
/// If the run could not be carried out: a program is missing, a process ended by itself, the
/// clients were refused something. What breaks a rule is in the summary.
pub fn run(options: Options, plan: &Plan, folder: &Path) -> Result<Summary> {
    fs::create_dir_all(folder)?;
    let mut run = Run::start(options, plan.places, folder)?;
    let begun = Instant::now();
    let mut client = run.start_program("client")?;
    for strike in &plan.strikes {
        std::thread::sleep(strike.at.saturating_sub(begun.elapsed()));
        run.strike(strike.what)?;
    }
    run.summary.marks = plan.strikes.iter().filter(|strike| strike.what.is_marked()).count() as u64;
    run.summary.struck_for = begun.elapsed();
    run.drain(&mut client)?;
    run.summary.took = begun.elapsed();
    let summary = run.end()?;
    if summary.broken.is_empty() {
        fs::remove_dir_all(folder)?;
    }
    Ok(summary)
}

struct Run {
    options: Options,
    folder: PathBuf,
    stage: Stage,
    workers: Vec<Worker>,
    watcher: Watcher,
    tables: Box<dyn Tables>,
    /// Marks that were missed, to be made up for by the next kills.
    owed: Vec<Kill>,
    /// When what struck.
    kills: Vec<Instant>,
    strikes: Vec<(Instant, Instant)>,
    evidence: Evidence,
    summary: Summary,
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}

impl Run {
    fn start(options: Options, places: usize, folder: &Path) -> Result<Self> {
        let stage = Stage::new(options.store, places, folder)?;
        let mut workers = Vec::new();
        for place in 0..places {
            workers.push(start_worker(&stage, folder, place)?);
        }
        for worker in &mut workers {
            worker.is_ready(STOP)?;
        }
        Ok(Self {
            options,
            folder: folder.to_path_buf(),
            watcher: Watcher::start(stage.tables()?),
            tables: stage.tables()?,
            stage,
            workers,
            owed: Vec::new(),
            kills: Vec::new(),
            strikes: Vec::new(),
            evidence: Evidence { wanted: options.workflows, ..Evidence::default() },
            summary: Summary::default(),
        })
    }

    /// Start a program that is not to be killed; it goes the way of the clients.
    fn start_program(&self, name: &str) -> Result<Worker> {
        let config = json!({
            "store": self.stage.config(self.workers.len()),
            "folder": self.folder,
            "workflows": self.options.workflows,
            // Done before the last kills, so that these have work to strike.
            "spreadMs": self.options.seconds * 950,
        });
        let log = self.folder.join(format!("{name}.log"));
        Worker::start(&format!("{name}.mjs"), &config, &log)
    }

    fn strike(&mut self, what: What) -> Result<()> {
        let What::Kill { place, when } = what else {
            return self.strike_server(what);
        };
        let owed = if when == Kill::Anytime { self.owed.pop() } else { None };
        let when = owed.unwrap_or(when);
        let place = if when == Kill::Anytime { place } else { self.at_work(place) };
        let worker = &mut self.workers[place];
        let came = worker.reaches(when, TO_MARK);
        self.summary.at_work += u64::from(worker.is_at_work());
        self.evidence.deaths.insert(worker.pid(), now_ms());
        worker.kill().map_err(|error| self.told(&error))?;
        self.kills.push(Instant::now());
        if !came {
            self.summary.missed += 1;
            self.owed.push(when);
        }
        let when = if came { when } else { Kill::Anytime };
        *self.summary.kills.entry(when).or_default() += 1;
        self.workers[place] = start_worker(&self.stage, &self.folder, place)?;
        self.summary.restarts += 1;
        Ok(())
    }

    /// Whoever is at this place, or at the next whose process has come to work already: what is only
    /// starting comes to no mark, and sends nothing. The clients are at theirs.
    fn at_work(&mut self, place: usize) -> usize {
        let places = self.workers.len();
        if place == places {
            return place;
        }
        let mut others = (0..places).map(|next| (place + next) % places);
        others.find(|other| self.workers[*other].is_at_work()).unwrap_or(place)
    }

    fn strike_server(&mut self, what: What) -> Result<()> {
        let what = match what {
            What::CutAnswer { place, after_answer } => {
                What::CutAnswer { place: self.at_work(place), after_answer }
            }
            What::CutOff { place } => What::CutOff { place: self.at_work(place) },
            other @ (What::Kill { .. } | What::EndConnections | What::RestartServer) => other,
        };
        let whose = match what {
            What::CutOff { place } => Some(self.workers[place].pid()),
            What::Kill { .. }
            | What::EndConnections
            | What::RestartServer
            | What::CutAnswer { .. } => None,
        };
        let (began, at) = (Instant::now(), now_ms());
        let struck = self.stage.strike(what)?;
        self.summary.struck.entry(what.name()).or_default().count(struck);
        let (mut ended, until) = (Instant::now(), now_ms());
        let mut lost = |at| self.evidence.cuts.push(Cut { at, pid: whose });
        match what {
            What::RestartServer | What::EndConnections => {
                lost(at);
                lost(until);
            }
            What::CutOff { .. } => {
                ended += CUT_OFF;
                lost(at);
                lost(until + CUT_OFF.as_millis() as u64);
            }
            // It cuts off no more than the one.
            What::Kill { .. } | What::CutAnswer { .. } => {}
        }
        if what == What::RestartServer {
            self.evidence.restarts.push(at);
        }
        self.strikes.push((began, ended));
        Ok(())
    }

    fn told(&self, error: &Error) -> Error {
        format!("{error}; see the logs in {}", self.folder.display()).into()
    }

    /// Wait until the clients have sent everything and every workflow has ended, or nothing goes
    /// on any more.
    fn drain(&mut self, client: &mut Worker) -> Result<()> {
        let begun = Instant::now();
        let (mut progress, mut since) = (0, begun);
        loop {
            let sent = client.ended()?;
            if let Some(status) = sent.filter(|status| !status.success()) {
                return Err(self.told(&format!("the clients ended with {status}").into()));
            }
            let (_, running) = self.tables.counts()?;
            if sent.is_some() && running == 0 {
                return Ok(());
            }
            let now = self.tables.progress()?;
            if now != progress {
                (progress, since) = (now, Instant::now());
            }
            if since.elapsed() > STUCK || begun.elapsed() > DRAIN {
                return self.give_up(client);
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Note what has not ended, and end the clients.
    fn give_up(&mut self, client: &mut Worker) -> Result<()> {
        self.evidence.hung = self.tables.running()?;
        if client.ended()?.is_none() {
            let waits = client.last_words(STOP)?;
            self.evidence.hung.push("the clients".to_owned());
            self.evidence.hung.extend(waits);
        }
        Ok(())
    }

    /// Stop everything in order, gather, check.
    fn end(mut self) -> Result<Summary> {
        for worker in &mut self.workers {
            worker.is_ready(STOP)?;
        }
        let until = Instant::now() + SETTLE;
        let living = self.workers.len() as u64;
        while Instant::now() < until
            && (!self.tables.left_over()?.is_empty() || self.tables.handles()? > living)
        {
            std::thread::sleep(GLANCE);
        }
        for worker in &mut self.workers {
            let ended = worker.stop(STOP)?;
            if !ended.is_some_and(|status| status.success()) {
                let pid = worker.pid();
                self.evidence.left.push(format!("process {pid}, told to stop: {ended:?}"));
            }
        }
        let watched = self.watcher.stop()?;
        self.summary.stalls = self.kills.iter().filter_map(|at| watched.stall(*at)).collect();
        let gaps = self.strikes.iter().filter_map(|(from, to)| watched.longest_gap(*from, *to));
        self.summary.server_stalls = gaps.collect();
        self.summary.compared = watched.compared;
        self.summary.most_attempts = watched.most_attempts;

        let evidence = &mut self.evidence;
        evidence.read_files(&self.folder)?;
        evidence.stored = self.tables.snapshot()?;
        evidence.unlike = watched.unlike(&evidence.stored);
        evidence.histories = Histories::of(&evidence.stored);
        evidence.left.extend(self.tables.left_over()?);
        let handles = self.tables.handles()?;
        if handles > 0 {
            evidence.left.push(format!("{handles} processes that are no more"));
        }
        evidence.unsound = self.tables.unsound()?;
        // Last: whoever opens the store may clear away what others have left.
        let mut replay = self.start_program("replay")?;
        if let Some(told) = replay.hears("{", REPLAY) {
            self.evidence.told = serde_json::from_str(&told)?;
        } else {
            let nothing = format!("replay.mjs found nothing out in {REPLAY:?}: see its log");
            self.evidence.told.divergent.push(nothing);
        }
        let evidence = &self.evidence;
        self.summary.taken_over = evidence.taken_over();
        self.summary.counts = Counts::of(evidence);
        self.summary.broken = oracle::check(evidence);
        self.summary.broken.extend(self.summary.in_vain());
        if !self.summary.broken.is_empty() {
            // The server goes with the run.
            fs::write(self.folder.join("histories.txt"), self.evidence.histories.to_string())?;
        }
        Ok(self.summary)
    }
}

fn start_worker(stage: &Stage, folder: &Path, place: usize) -> Result<Worker> {
    let config = json!({
        "store": stage.config(place),
        "folder": folder,
        "name": format!("place-{place}"),
        "sessionIdleMs": SESSION_IDLE_MS,
    });
    Worker::start("worker.mjs", &config, &folder.join(format!("worker-{place}.log")))
}
