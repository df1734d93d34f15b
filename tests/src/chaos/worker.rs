//! A Node process of the run: started, heard, told where to be killed, killed. Not here: when
//! that happens (`run`).

use super::Result;
use super::plan::Kill;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The programs, beside the package that they import.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bindings/node/test/chaos");
const GLANCE: Duration = Duration::from_millis(10);

/// A running process; killed on drop.
pub(crate) struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Receiver<String>,
    ready: bool,
}

impl Worker {
    /// Start one of the programs with its configuration; what it complains of goes to a log.
    pub(crate) fn start(program: &str, config: &Value, log: &Path) -> Result<Self> {
        let path = PathBuf::from(PROGRAMS).join(program);
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new("node");
        command.arg(path).arg(config.to_string()).env_remove("RUST_LOG").stderr(log);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (tell, heard) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                    if tell.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, heard, ready: false })
    }

    /// Whether it takes work already.
    pub(crate) fn is_at_work(&mut self) -> bool {
        self.ready || self.hears("ready", Duration::ZERO).is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Wait until it takes work.
    pub(crate) fn is_ready(&mut self, patience: Duration) -> Result<()> {
        if self.ready || self.hears("ready", patience).is_some() {
            return Ok(());
        }
        Err(format!("process {} did not get ready in {patience:?}", self.pid()).into())
    }

    /// Tell it where to be killed, and wait until it is there; `false`: it did not come there
    /// in time.
    pub(crate) fn reaches(&mut self, when: Kill, patience: Duration) -> bool {
        let place = match when {
            Kill::Anytime => return true,
            Kill::BeforeEffect => "before",
            Kill::AfterEffect => "after",
            Kill::AfterCommit => "commit",
        };
        self.tell(&format!("arm {place}")).is_ok() && self.hears("mark ", patience).is_some()
    }

    /// Wait for a line that begins so; `None`: none came in time.
    pub(crate) fn hears(&mut self, beginning: &str, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        while let Ok(line) =
            self.heard.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.ready |= line == "ready";
            if line.starts_with(beginning) {
                return Some(line);
            }
        }
        None
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ask it to stop, and kill it if it does not; what it said that nobody has heard.
    pub(crate) fn last_words(&mut self, patience: Duration) -> Result<Vec<String>> {
        if self.stop(patience)?.is_none() {
            self.kill()?;
        }
        Ok(self.heard.iter().collect())
    }

    /// SIGKILL, and wait until it is gone. An error if it had ended by itself.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("process {} ended by itself: {status}", self.pid()).into());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ask it to stop in order; how it ended, `None` if it did not in time.
    pub(crate) fn stop(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        // It may be gone already; then its status says so.
        let _ = self.tell("stop");
        self.stdin = None;
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(None)
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
