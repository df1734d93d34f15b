//! One measurement in this process. Not here: the loops themselves (`loops`).

use crate::loops::Load;
use crate::result::{Failure, Inside};
use crate::store::{self, Kind};
use crate::workload::{self, Workload};
use clap::Args;
use duroxide::prelude::*;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is measured, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// What runs.
    pub(crate) workload: Workload,
    /// On which store.
    #[arg(long, value_enum)]
    pub(crate) store: Kind,
    /// Workflows in flight.
    #[arg(long, default_value_t = 50)]
    pub(crate) at_once: usize,
    /// How long a closed loop goes on, in ms.
    #[arg(long, default_value_t = 3_000)]
    pub(crate) ms: u64,
    /// Instances, or steps of the long workflow.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) count: u64,
    /// Where the file goes.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// The PostgreSQL database.
    #[arg(long)]
    pub(crate) url: Option<String>,
}

/// Measure, and print what came of it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(io_of("threads"))?;
    let inside = runtime.block_on(measure(options))?;
    say(&serde_json::to_string(&inside)?)?;
    // What ends with the process is none of the measurement: until somebody has looked.
    heard().map(drop)
}

async fn measure(options: &Options) -> Result<Inside, Failure> {
    let Options { workload, store: kind, folder, .. } = options;
    let env = system_env();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let (is_long, told) = (*workload == Workload::Longhist, Arc::clone(&steps));
    let registry = workload::registry(move || {
        if is_long {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
    })?;
    let opened = store::open(*kind, &env, folder, options.url.as_deref()).await?;
    let start = |opened: &store::Opened| {
        let (store, registry) = (Arc::clone(&opened.store), registry.clone());
        Runtime::start_registry(env.clone(), store, registry, RuntimeOptions::default())
    };
    let load = |client: Client, opened: &store::Opened| {
        let lasts = Duration::from_millis(options.ms);
        Load::new(client, opened.clone(), *workload, options.at_once, lasts, options.count)
    };
    match workload {
        Workload::Backlog => {
            let client = Client::new(env.clone(), Arc::clone(&opened.store));
            let load = load(client, &opened);
            load.fill().await?;
            ready()?;
            let _runtime = start(&opened)?;
            load.drained(false).await
        }
        Workload::Cold => {
            let runtime = start(&opened)?;
            load(runtime.client(), &opened).fill().await?;
            runtime.shutdown(Duration::from_secs(10)).await;
            opened.store.close().await?;
            let opened = store::open(*kind, &env, folder, options.url.as_deref()).await?;
            ready()?;
            let runtime = start(&opened)?;
            load(runtime.client(), &opened).drained(true).await
        }
        Workload::Idle => {
            let runtime = start(&opened)?;
            let load = load(runtime.client(), &opened);
            load.fill().await?;
            ready()?;
            let began = Instant::now();
            tokio::time::sleep(load.lasts).await;
            Ok(Inside { seconds: began.elapsed().as_secs_f64(), ..Inside::default() })
        }
        Workload::Longhist => {
            let runtime = start(&opened)?;
            ready()?;
            load(runtime.client(), &opened).long(&steps).await
        }
        Workload::Hello
        | Workload::Seq
        | Workload::Fanout
        | Workload::Stagger
        | Workload::Event
        | Workload::Timer
        | Workload::Subs
        | Workload::Can => {
            let runtime = start(&opened)?;
            let load = load(runtime.client(), &opened);
            load.closed(load.lasts / 4).await?;
            ready()?;
            load.closed(load.lasts).await
        }
    }
}

/// Everything is in place: whoever measures from outside looks now, and says go.
fn ready() -> Result<(), Failure> {
    say("ready")?;
    let went = heard()?;
    if went { Ok(()) } else { Err(Failure::said("nobody said go")) }
}

fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(io_of("stdout"))
}

/// Wait for a line. False: there comes none any more.
fn heard() -> Result<bool, Failure> {
    io::stdin().lock().read_line(&mut String::new()).map(|read| read > 0).map_err(io_of("stdin"))
}

fn io_of(what: &str) -> impl FnOnce(io::Error) -> Failure + use<'_> {
    move |error| Failure::Io { what: what.to_owned(), error }
}
