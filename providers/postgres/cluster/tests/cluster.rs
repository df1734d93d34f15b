//! A cluster from start to end, and every way in which the end can come.

use duroxide_postgres_cluster::{Cluster, ClusterError, ClusterOptions, StopMode, TlsFiles};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

/// The program, and what it has said.
struct Program {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        Self::start_in(&env::temp_dir(), args)
    }

    /// With a folder for temporary files of its own.
    fn start_in(temporary: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duroxide-postgres-cluster"));
        command.args(args).env("TMPDIR", temporary);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it is built");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("readable");
        line.trim_end().to_owned()
    }

    fn tell(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().expect("open");
        writeln!(stdin, "{line}").expect("it listens");
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests wait for real processes")]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not so in 20 s: {what}");
}

fn port_of(url: &str) -> u16 {
    let port = url.rsplit(':').next().and_then(|end| end.split('/').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("a port in {url}"))
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The cluster's folder of the process with this number.
fn folder_of(process: u32, temporary: &Path) -> PathBuf {
    temporary.join(format!("duroxide-postgres-{process}-0"))
}

/// The parent of the server.
#[cfg(target_os = "linux")]
fn supervisor_of(folder: &Path) -> String {
    let file = fs::read_to_string(folder.join("data/postmaster.pid")).expect("a running server");
    let server = file.lines().next().expect("its process id");
    let stat = fs::read_to_string(format!("/proc/{server}/stat")).expect("it runs");
    let after_name = stat.rsplit(") ").next().expect("its state and its parent");
    after_name.split(' ').nth(1).expect("its parent").to_owned()
}

#[test]
fn a_cluster_answers_until_it_is_dropped_and_leaves_nothing() {
    let cluster = Cluster::start().unwrap();
    let (port, folder) = (cluster.port(), cluster.folder().to_path_buf());
    assert_eq!(cluster.url(), format!("postgres://postgres@127.0.0.1:{port}/postgres"));
    assert_eq!(cluster.psql("postgres", "SHOW max_connections").unwrap(), "300");
    assert_eq!(cluster.psql("postgres", "SHOW fsync").unwrap(), "off");
    assert_eq!(cluster.psql("postgres", "SHOW server_encoding").unwrap(), "UTF8");
    assert!(listens(port) && folder.exists());
    drop(cluster);
    assert!(!listens(port) && !folder.exists());
}

#[test]
fn databases_of_one_cluster_are_apart() {
    let cluster = Cluster::start().unwrap();
    cluster.create_database("one").unwrap();
    cluster.create_database("a \"quoted\" name").unwrap();
    cluster.psql("one", "CREATE TABLE t (n int)").unwrap();
    assert_eq!(cluster.psql("one", "SELECT count(*) FROM t").unwrap(), "0");
    assert!(cluster.url_for("one").ends_with("/one"));
    let refused = cluster.psql("a \"quoted\" name", "SELECT * FROM t").unwrap_err().to_string();
    assert!(refused.contains("relation \"t\" does not exist"), "{refused}");
    let refused = cluster.create_database("one").unwrap_err().to_string();
    assert!(refused.contains("already exists"), "{refused}");
}

#[test]
fn a_restart_keeps_port_and_data_in_every_mode() {
    let options = ClusterOptions { fsync: true, ..ClusterOptions::default() };
    let mut cluster = Cluster::start_with(options).unwrap();
    let url = cluster.url();
    cluster.psql("postgres", "CREATE TABLE t (n int)").unwrap();
    for mode in [StopMode::Smart, StopMode::Fast, StopMode::Immediate] {
        cluster.psql("postgres", "INSERT INTO t VALUES (1)").unwrap();
        let before = cluster.psql("postgres", "SELECT pg_postmaster_start_time()").unwrap();
        cluster.restart(mode).unwrap();
        let after = cluster.psql("postgres", "SELECT pg_postmaster_start_time()").unwrap();
        assert_ne!(before, after, "{mode:?}");
    }
    assert_eq!(cluster.url(), url);
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM t").unwrap(), "3");
    assert_eq!(cluster.psql("postgres", "SHOW fsync").unwrap(), "on");
    let (port, folder) = (cluster.port(), cluster.folder().to_path_buf());
    cluster.stop();
    assert!(!listens(port) && !folder.exists());
}

#[test]
fn with_a_password_nobody_comes_in_without_it_and_debug_output_hides_it() {
    let password = Some("verysecret7".to_owned());
    let cluster = Cluster::start_with(ClusterOptions { password, ..Default::default() }).unwrap();
    let psql = |password: &str| {
        let url = cluster.url().replace("verysecret7", password);
        let args = ["-X", "-w", "-c", "SELECT 1", &url];
        Command::new("psql").args(args).output().unwrap()
    };
    assert!(psql("verysecret7").status.success());
    for wrong in ["wrong", ""] {
        let refused = psql(wrong);
        assert!(!refused.status.success(), "{wrong:?}");
    }
    assert!(!format!("{cluster:?}").contains("verysecret7"));
}

#[test]
fn with_tls_required_plain_connections_are_refused() {
    let folder = env::temp_dir().join(format!("duroxide-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.output().unwrap().status.success());
    let tls = Some(TlsFiles { certificate, key, required: true });
    let cluster = Cluster::start_with(ClusterOptions { tls, ..Default::default() }).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let psql = |mode: &str| {
        let url = format!("{}?sslmode={mode}", cluster.url());
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let output = Command::new("psql").args(["-X", "-A", "-t", "-c", sql, &url]).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    assert_eq!(psql("require"), (true, "t".into()));
    assert!(!psql("disable").0);
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let settings = vec![("shared_preload_libraries".to_owned(), "no_such_thing".to_owned())];
    let failed = Cluster::start_with(ClusterOptions { settings, ..Default::default() });
    let error = failed.expect_err("no such library");
    assert!(matches!(error, ClusterError::Ended { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_thing"), "{error}");
}

#[test]
fn clusters_that_start_at_once_do_not_meet() {
    let clusters = ["a", "b"].map(|_| Program::start(&[])).map(|mut program| {
        let url = program.line();
        (program, url)
    });
    let [(_, one), (_, other)] = &clusters;
    assert_ne!(one, other);
    for (program, url) in clusters {
        assert!(listens(port_of(&url)));
        let mut process = program.process;
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success());
    }
}

#[test]
fn the_program_restarts_on_command_and_ends_when_its_stdin_closes() {
    let mut program = Program::start(&["--password", "abc", "--set", "work_mem=5MB"]);
    let url = program.line();
    assert!(url.starts_with("postgres://postgres:abc@127.0.0.1:"), "{url}");
    let show =
        || Command::new("psql").args(["-X", "-A", "-t", "-c", "SHOW work_mem", &url]).output();
    assert_eq!(show().unwrap().stdout, b"5MB\n");
    program.tell("restart immediate");
    assert_eq!(program.line(), "restarted");
    assert_eq!(show().unwrap().stdout, b"5MB\n");
    drop(program.process.stdin.take());
    assert!(program.process.wait().unwrap().success());
    assert!(!listens(port_of(&url)));
    assert!(!folder_of(program.process.id(), &env::temp_dir()).exists());
}

#[test]
fn sigkill_of_the_process_leaves_no_server_and_no_folder() {
    let mut program = Program::start(&[]);
    let url = program.line();
    let folder = folder_of(program.process.id(), &env::temp_dir());
    assert!(listens(port_of(&url)) && folder.exists());
    program.process.kill().unwrap();
    program.process.wait().unwrap();
    until("the server is gone", || !listens(port_of(&url)));
    until("its folder is gone", || !folder.exists());
}

/// Whatever kills the supervisor too (the system when memory is short, an impatient person)
/// leaves a server without anybody: the next start ends it.
#[cfg(target_os = "linux")]
#[test]
fn the_next_start_removes_what_dead_processes_left() {
    let temporary = env::temp_dir().join(format!("duroxide-stale-{}", std::process::id()));
    fs::create_dir_all(&temporary).unwrap();
    let mut dead = Program::start_in(&temporary, &[]);
    let url = dead.line();
    let folder = folder_of(dead.process.id(), &temporary);
    let killed = Command::new("kill").args(["-KILL", &supervisor_of(&folder)]).status();
    assert!(killed.unwrap().success());
    dead.process.kill().unwrap();
    dead.process.wait().unwrap();
    assert!(listens(port_of(&url)) && folder.exists());

    let mut next = Program::start_in(&temporary, &[]);
    let living = port_of(&next.line());
    until("the server is gone", || !listens(port_of(&url)));
    assert!(!folder.exists());
    // The folders of the living are left alone.
    let mut another = Program::start_in(&temporary, &[]);
    assert!(listens(port_of(&another.line())) && listens(living));
    for program in [&mut next, &mut another] {
        drop(program.process.stdin.take());
        assert!(program.process.wait().unwrap().success());
    }
    fs::remove_dir(&temporary).expect("nothing is left in it");
}
