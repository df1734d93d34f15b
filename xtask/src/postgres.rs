//! One PostgreSQL for a whole run: `DATABASE_URL` if it is set, else a private cluster, which
//! every command of the run finds by that name. Not here: how a cluster is made (the crate
//! `duroxide-postgres-cluster`), how PostgreSQL is installed (`tools`).

use crate::runner::{Failure, Runner, display};
use crate::tools;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// Where tests look for a server.
const DATABASE_URL: &str = "DATABASE_URL";
/// The crate whose program starts a cluster.
const PROGRAM: &str = "duroxide-postgres-cluster";

/// A cluster, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Postgres {
    program: Option<Child>,
}

/// Have a server, and tell every later command of the runner where it is.
pub(crate) fn start(runner: &mut Runner) -> Result<Postgres, Failure> {
    if std::env::var_os(DATABASE_URL).is_some_and(|url| !url.is_empty()) {
        return Ok(Postgres { program: None });
    }
    tools::require_postgres(runner)?;
    let build = runner.command("cargo", &["build", "--package", PROGRAM]);
    runner.run("build the cluster for tests", build)?;
    let (postgres, url) = runner.step("start PostgreSQL", |runner| run(runner))?;
    runner.set_env(DATABASE_URL, &url);
    Ok(postgres)
}

/// The program, and the connection string that it prints first.
fn run(runner: &Runner) -> Result<(Postgres, String), Failure> {
    let mut command = runner.command("cargo", &["run", "--quiet", "--package", PROGRAM]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let name = display(&command);
    let io = |error| Failure::io(name.clone(), error);
    let mut program = command.spawn().map_err(io)?;
    let stdout = program.stdout.take();
    let postgres = Postgres { program: Some(program) };
    let mut url = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut url).map_err(io)?;
    }
    match url.trim_end() {
        "" => Err(Failure::Missing(format!("`{PROGRAM}` printed no connection string"))),
        url => Ok((postgres, url.to_owned())),
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It stops when its stdin closes, which our own end does as well.
        if let Some(program) = &mut self.program {
            drop(program.stdin.take());
            let _ = program.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn the_server_of_a_run_answers_until_the_run_is_over() {
        let (postgres, url) = run(&Runner::new()).expect("a cluster");
        let address = url.split(['@', '/']).nth(3).expect("host and port").to_owned();
        assert!(TcpStream::connect(&address).is_ok(), "{url}");
        drop(postgres);
        assert!(TcpStream::connect(&address).is_err(), "{url}");
    }
}
