//! The server's process and its supervisor: a shell that holds the read end of a pipe from
//! us and, when that closes, stops the server and deletes the folder. So a SIGKILL of our
//! process leaves nothing behind. (The signal that Linux can send at a parent's death would
//! be sent at the end of the *thread* that started the server: a test's.)

use crate::ClusterError;
use crate::StopMode;
use crate::folder::Folder;
use crate::installed::{self, Binaries, Unprivileged};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often and for how long we look whether the server is ready.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: u64 = 3_000;
/// The line of `postmaster.pid` that says how far the server is, and what it says then.
const STATE_LINE: usize = 7;
const READY: &str = "ready";
/// Below the ports that systems give to outgoing connections: a client that tries again and
/// again while the server is away could otherwise get the server's port, and connect to
/// itself.
const FIRST_PORT: u32 = 18_000;
const PORTS: u32 = 14_000;
/// How much of the log an error quotes.
const LOG_LINES: usize = 12;

/// Arguments: the folder, then the server's command line. stdin: the pipe; stdout: the lock.
const SUPERVISOR: &str = r#"
exec 3<&0 </dev/null
folder=$1; shift
trap 'kill -QUIT $server; wait $server; rm -rf "$folder"; exit' HUP INT TERM
"$@" 3<&- >>"$folder/log" 2>&1 &
server=$!
{ while read -r line; do :; done; kill -TERM $$; } <&3 3<&- >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $server
kill $watcher
"#;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running server, through its supervisor; stopped on drop, and its folder deleted.
#[derive(Debug)]
pub(crate) struct Server {
    supervisor: Child,
}

impl Server {
    /// Start it and wait until it accepts connections.
    pub(crate) fn start(
        binaries: &Binaries,
        user: Unprivileged,
        folder: &Folder,
        settings: &[(String, String)],
    ) -> Result<Self, ClusterError> {
        let mut command = user.command("/bin/sh");
        command.args(["-c", SUPERVISOR, "duroxide-postgres-cluster"]).arg(folder.path());
        command.arg(binaries.postgres()).arg("-D").arg(folder.data());
        command.arg("-k").arg(folder.path());
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::piped()).stdout(folder.shared_lock()?).stderr(Stdio::null());
        let mut server = Self { supervisor: spawn(command)? };
        server.wait_until_ready(folder)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, folder: &Folder) -> Result<(), ClusterError> {
        let pid_file = folder.data().join("postmaster.pid");
        for _ in 0..LOOKS {
            let state = fs::read_to_string(&pid_file).unwrap_or_default();
            if state.lines().nth(STATE_LINE).is_some_and(|state| state.trim() == READY) {
                return Ok(());
            }
            if self.has_ended()? {
                return Err(ClusterError::Ended { log: end_of_log(folder) });
            }
            pause();
        }
        let seconds = LOOKS * LOOK_EVERY.as_millis() as u64 / 1_000;
        Err(ClusterError::NotReady { seconds, log: end_of_log(folder) })
    }

    fn has_ended(&mut self) -> Result<bool, ClusterError> {
        let status = self.supervisor.try_wait();
        status.map(|status| status.is_some()).map_err(|error| ClusterError::io("waitpid", error))
    }

    /// Stop the server and keep its folder; returns when it is gone.
    pub(crate) fn stop(
        &mut self,
        binaries: &Binaries,
        user: Unprivileged,
        folder: &Folder,
        mode: StopMode,
    ) -> Result<(), ClusterError> {
        let mut stop = user.command(binaries.pg_ctl());
        stop.args(["stop", "--mode", mode.name(), "--pgdata"]).arg(folder.data());
        installed::output(stop)?;
        // Through with its work, as soon as it sees the server's end. `wait` closes the pipe if it
        // is there: then the supervisor could take us for dead, and delete the folder.
        let pipe = self.supervisor.stdin.take();
        let ended = self.supervisor.wait();
        drop(pipe);
        ended.map(drop).map_err(|error| ClusterError::io("waitpid", error))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The same end as when our process dies.
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

fn spawn(mut command: Command) -> Result<Child, ClusterError> {
    command.spawn().map_err(|error| ClusterError::io("/bin/sh", error))
}

/// A port on 127.0.0.1 that nobody listens on; another one for each process and each try.
pub(crate) fn free_port(tried: u32) -> Result<u16, ClusterError> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + tried;
    // Processes that start at once have numbers in a row: far apart, so that they do not meet.
    let start = std::process::id().wrapping_mul(61).wrapping_add(number);
    let mut ports = (0..PORTS)
        .filter_map(|next| u16::try_from(FIRST_PORT + (start % PORTS + next) % PORTS).ok());
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let none = || std::io::Error::from(std::io::ErrorKind::AddrInUse);
    ports.find(free).ok_or_else(|| ClusterError::io("a free port on 127.0.0.1", none()))
}

fn end_of_log(folder: &Folder) -> String {
    let log = fs::read_to_string(folder.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[expect(clippy::disallowed_methods, reason = "a real server starts on the real clock")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}
