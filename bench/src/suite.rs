//! Every measurement in a process of its own, one after the other, looked at from outside.
//! Not here: what happens in that process (`one`, and `bindings/node/bench/one.mjs`).

use crate::floor;
use crate::outside::{Disk, Used, file_system};
use crate::page;
use crate::result::{Failure, Floor, Inside, Line, Machine};
use crate::store::Kind;
use crate::workload::Workload;
use clap::{Args, ValueEnum};
use duroxide_postgres_cluster::{Cluster, ClusterOptions};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What is measured, and where to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Only these workloads.
    #[arg(long = "workload")]
    workloads: Vec<Workload>,
    /// Only these stores.
    #[arg(long = "store", value_enum)]
    stores: Vec<Kind>,
    /// Only in this language.
    #[arg(long = "host", value_enum)]
    hosts: Vec<Host>,
    /// Only with so many in flight.
    #[arg(long = "at-once")]
    at_once: Vec<usize>,
    /// How long a closed loop goes on, in ms.
    #[arg(long, default_value_t = 3_000)]
    ms: u64,
    /// A tenth of everything: to see that it works, not what it costs.
    #[arg(long)]
    quick: bool,
    /// Where stores are put: on the disk that is measured.
    #[arg(long)]
    folder: PathBuf,
    /// The Node package, built.
    #[arg(long)]
    package: PathBuf,
    /// Keep the lines in this file as well.
    #[arg(long)]
    lines: Option<PathBuf>,
    /// Write a page of them.
    #[arg(long)]
    page: Option<PathBuf>,
}

/// In which language workflows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Host {
    Rust,
    Node,
}

/// One measurement to be made.
#[derive(Debug, Clone, Copy)]
struct Task {
    host: Host,
    store: Kind,
    workload: Workload,
    at_once: usize,
    count: u64,
}

/// What a suite said: where it ran, and each measurement.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) machine: Machine,
    pub(crate) lines: Vec<Line>,
}

/// Read what a suite wrote.
pub(crate) fn read(path: &Path) -> Result<Measured, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::file(path))?;
    let mut lines = text.lines();
    let first = lines.next().ok_or_else(|| Failure::said("there is no line in it"))?;
    let machine = serde_json::from_str(first)?;
    let lines = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(Measured { machine, lines })
}

/// Measure all that is asked for, and print it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    fs::create_dir_all(&options.folder).map_err(Failure::file(&options.folder))?;
    let folder = options.folder.canonicalize().map_err(Failure::file(&options.folder))?;
    let place = Place {
        file_system: file_system(&folder)?,
        disk: Disk::of(&folder)?,
        cluster: options.cluster()?,
        package: options.package.clone(),
        folder,
    };
    let lasts = Duration::from_millis(if options.quick { 200 } else { 2_000 });
    let machine = place.machine(lasts)?;
    let mut out = Out::to(options.lines.as_deref())?;
    out.say(&serde_json::to_string(&machine)?)?;
    let tasks = options.tasks();
    let mut lines = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        eprintln!("{}/{}: {}", number + 1, tasks.len(), task.name());
        let line = place.measure(task, options, &machine.floor)?;
        out.say(&serde_json::to_string(&line)?)?;
        lines.push(line);
    }
    match &options.page {
        Some(page) => page::write(&Measured { machine, lines }, page),
        None => Ok(()),
    }
}

/// Standard output, and a file beside it.
struct Out(Option<fs::File>);

impl Out {
    fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| fs::File::create(path).map_err(Failure::file(path));
        path.map(create).transpose().map(Self)
    }

    fn say(&mut self, line: &str) -> Result<(), Failure> {
        let io = |error| Failure::Io { what: "a line".to_owned(), error };
        writeln!(std::io::stdout(), "{line}").map_err(io)?;
        self.0.as_mut().map_or(Ok(()), |file| writeln!(file, "{line}").map_err(io))
    }
}

impl Options {
    fn cluster(&self) -> Result<Option<Cluster>, Failure> {
        let wanted = self.stores.is_empty() || self.stores.contains(&Kind::Postgres);
        let options = ClusterOptions { fsync: true, ..ClusterOptions::default() };
        Ok(wanted.then(|| Cluster::start_with(options)).transpose()?)
    }

    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for &workload in Workload::value_variants() {
            for (at_once, count) in self.sizes(workload) {
                for &store in Kind::value_variants() {
                    for &host in Host::value_variants() {
                        tasks.push(Task { host, store, workload, at_once, count });
                    }
                }
            }
        }
        tasks.retain(|task| {
            is_asked(&self.workloads, &task.workload)
                && is_asked(&self.stores, &task.store)
                && is_asked(&self.hosts, &task.host)
                && is_asked(&self.at_once, &task.at_once)
        });
        tasks
    }

    /// How many in flight, and of what count.
    fn sizes(&self, workload: Workload) -> Vec<(usize, u64)> {
        let less = if self.quick { 10 } else { 1 };
        match workload {
            Workload::Longhist => vec![(1, 1_000 / less), (1, 10_000 / less)],
            Workload::Backlog => vec![1_000, 10_000, 100_000]
                .into_iter()
                .filter(|count| !self.quick || *count < 100_000)
                .map(|count| (200, count / less))
                .collect(),
            Workload::Idle => vec![(1, 0), (1, 10_000 / less)],
            Workload::Cold => vec![(200, 1_000 / less)],
            Workload::Hello
            | Workload::Seq
            | Workload::Fanout
            | Workload::Stagger
            | Workload::Event
            | Workload::Timer
            | Workload::Subs
            | Workload::Can => [1, 10, 50, 200].map(|at_once| (at_once, 0)).to_vec(),
        }
    }
}

fn is_asked<T: PartialEq>(asked: &[T], this: &T) -> bool {
    asked.is_empty() || asked.contains(this)
}

impl Task {
    fn name(&self) -> String {
        let Self { host, store, workload, at_once, count } = self;
        let of = if *count > 0 { format!(" of {count}") } else { String::new() };
        format!("{}{of}, {at_once} at once, {}, {host:?}", workload.name(), store.name())
    }

    /// What it is called in a line: with its size, where that is part of what it is.
    fn workload(&self) -> String {
        match self.count {
            0 => self.workload.name().to_owned(),
            count => format!("{} {count}", self.workload.name()),
        }
    }
}

/// Where measurements are made.
struct Place {
    folder: PathBuf,
    file_system: String,
    disk: Disk,
    cluster: Option<Cluster>,
    package: PathBuf,
}

impl Place {
    fn machine(&self, lasts: Duration) -> Result<Machine, Failure> {
        let folder = self.fresh()?;
        let url = self.cluster.as_ref().map(Cluster::url);
        let floor = floor::measure(&folder, url.as_deref(), lasts)?;
        let kernel = Path::new("/proc/sys/kernel/osrelease");
        Ok(Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string(kernel).map_err(Failure::file(kernel))?.trim().to_owned(),
            file_system: self.file_system.clone(),
            node: version_of_node(),
            sqlite: rusqlite::version().to_owned(),
            pragmas: pragmas(&folder.join("floor-1.db"))?,
            floor,
        })
    }

    /// An empty folder on the disk.
    fn fresh(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder.join("store");
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::file(&folder)(error)),
        }
        fs::create_dir(&folder).map_err(Failure::file(&folder))?;
        Ok(folder)
    }

    fn measure(&self, task: &Task, options: &Options, floor: &Floor) -> Result<Line, Failure> {
        let folder = self.fresh()?;
        let mut process = Process::start(self.command(task, options, &folder)?, &task.name())?;
        process.expect("ready")?;
        let before = Used::by(process.child.id(), self.disk)?;
        process.go()?;
        let inside: Inside = serde_json::from_str(&process.line()?)?;
        let outside = Used::by(process.child.id(), self.disk)?.since(before);
        process.end()?;
        if let Some(commits) = inside.commits.filter(|_| task.store == Kind::SqliteFull)
            && outside.flushes < commits
        {
            let flushes = outside.flushes;
            let name = task.name();
            return Err(Failure::said(format!(
                "{name}: {commits} group commits, and the disk was flushed only {flushes} times"
            )));
        }
        let steps = inside.steps.max(1) as f64;
        let per_second = |count: u64| count as f64 / inside.seconds.max(f64::MIN_POSITIVE);
        let commits_per_s = match task.store {
            Kind::SqliteFull => Some(floor.sqlite_commits_per_s),
            Kind::Postgres => floor.postgres_commits_per_s,
            Kind::SqliteProcess | Kind::Memory => None,
        };
        Ok(Line {
            workload: task.workload(),
            host: format!("{:?}", &task.host).to_lowercase(),
            store: task.store.name().to_owned(),
            at_once: task.at_once,
            workflows_per_s: per_second(inside.workflows),
            steps_per_s: per_second(inside.steps),
            flushes_per_step: outside.flushes as f64 / steps,
            written_per_step: outside.written_bytes as f64 / steps,
            cpu_us_per_step: outside.cpu_seconds * 1e6 / steps,
            floor_share: commits_per_s.map(|floor| per_second(inside.steps) / floor),
            inside,
            outside,
        })
    }

    fn command(&self, task: &Task, options: &Options, folder: &Path) -> Result<Command, Failure> {
        let mut command = match task.host {
            Host::Rust => {
                let this = std::env::current_exe().map_err(Failure::file(Path::new("this")))?;
                let mut command = Command::new(this);
                command.arg("one");
                command
            }
            Host::Node => {
                let mut command = Command::new("node");
                command.arg(self.package.join("bench/one.mjs"));
                command
            }
        };
        let ms = if options.quick { options.ms / 10 } else { options.ms };
        command.arg(task.workload.name()).args(["--store", task.store.name()]);
        command.args(["--at-once", &task.at_once.to_string(), "--ms", &ms.to_string()]);
        command.args(["--count", &task.count.to_string()]).arg("--folder").arg(folder);
        if let Some(cluster) = self.cluster.as_ref().filter(|_| task.store == Kind::Postgres) {
            cluster.psql("postgres", "DROP DATABASE IF EXISTS bench WITH (FORCE)")?;
            cluster.create_database("bench")?;
            command.args(["--url", &cluster.url_for("bench")]);
        }
        Ok(command)
    }
}

/// A measured process, and the conversation with it.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    name: String,
}

impl Process {
    fn start(mut command: Command, name: &str) -> Result<Self, Failure> {
        let failed = |error| Failure::Io { what: name.to_owned(), error };
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::said("no stdout"))?;
        Ok(Self { child, stdout: BufReader::new(stdout), name: name.to_owned() })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        let read = read.map_err(|error| Failure::Io { what: self.name.clone(), error })?;
        if read == 0 {
            return Err(Failure::said(format!("{}: it ended before it had measured", self.name)));
        }
        Ok(line)
    }

    fn expect(&mut self, word: &str) -> Result<(), Failure> {
        let line = self.line()?;
        if line.trim() == word {
            return Ok(());
        }
        let name = &self.name;
        Err(Failure::said(format!("{name}: expected `{word}`, and it said `{}`", line.trim())))
    }

    fn go(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::Io { what: self.name.clone(), error };
        self.child.stdin.as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "go")).map_err(failed)
    }

    fn end(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let status =
            self.child.wait().map_err(|error| Failure::Io { what: self.name.clone(), error })?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::said(format!("{}: {status}", self.name)))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was given up; one that has ended cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn version_of_node() -> Option<String> {
    let output = Command::new("node").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn pragmas(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let sql = rusqlite::Connection::open(path)?;
    let read = |name: &str| {
        let value =
            sql.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?;
        Ok((name.to_owned(), format!("{value:?}")))
    };
    ["journal_mode", "page_size"].into_iter().map(read).collect()
}
