//! `duroxide-postgres-cluster`: starts a cluster, prints its connection string as the first
//! line of stdout, and stops it when stdin closes. A line `restart smart|fast|immediate` on
//! stdin restarts the server and is answered by `restarted`. For tests in other languages,
//! and by hand.

use duroxide_postgres_cluster::{Cluster, ClusterError, ClusterOptions, StopMode, TlsFiles};
use std::io::{BufRead, Write};
use std::process::ExitCode;

const USAGE: &str = "\
duroxide-postgres-cluster [--password TEXT] [--fsync] [--tls CERTIFICATE KEY]
                          [--set NAME=VALUE]...
Starts a private PostgreSQL, prints its URL, and stops it when stdin closes.
Lines on stdin: restart smart, restart fast, restart immediate";

/// Why we end with something else than success.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("stdin or stdout: {0}")]
    Io(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Err(failure) = options(&args).and_then(run) else { return ExitCode::SUCCESS };
    eprintln!("duroxide-postgres-cluster: {failure}");
    ExitCode::FAILURE
}

fn options(args: &[String]) -> Result<ClusterOptions, Failure> {
    let mut options = ClusterOptions::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value =
            || args.next().ok_or_else(|| Failure::Usage(format!("{arg}: a value is missing")));
        match arg.as_str() {
            "--password" => options.password = Some(value()?.clone()),
            "--fsync" => options.fsync = true,
            "--tls" => {
                let (certificate, key) = (value()?.into(), value()?.into());
                options.tls = Some(TlsFiles { certificate, key, required: false });
            }
            "--set" => {
                let setting = value()?.split_once('=');
                let usage = || Failure::Usage("--set: NAME=VALUE is expected".into());
                let (name, value) = setting.ok_or_else(usage)?;
                options.settings.push((name.into(), value.into()));
            }
            other => return Err(Failure::Usage(format!("no option `{other}`"))),
        }
    }
    Ok(options)
}

fn run(options: ClusterOptions) -> Result<(), Failure> {
    let mut cluster = Cluster::start_with(options)?;
    say(&cluster.url())?;
    for line in std::io::stdin().lock().lines() {
        let mode = match line?.trim() {
            "" => continue,
            "restart smart" => StopMode::Smart,
            "restart fast" => StopMode::Fast,
            "restart immediate" => StopMode::Immediate,
            other => return Err(Failure::Usage(format!("no command `{other}`"))),
        };
        cluster.restart(mode)?;
        say("restarted")?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}
