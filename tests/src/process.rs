//! A node in a process of its own, that can be killed, stopped and continued.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running node process; killed on drop. Should the test die first, the node sees its
/// stdin close and ends.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Start `program` as a node on this database, with this world, with leases this long.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(program: &str, database: &str, world: &Path, lease: Duration) -> Self {
        let mut command = Command::new(program);
        command.arg(database).arg(world).arg(lease.as_millis().to_string());
        match command.stdin(Stdio::piped()).spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("{program}: {error}"),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and wait until it is gone.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            panic!("kill: {error}");
        }
    }

    /// SIGSTOP.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.pid().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
