//! Runs steps: names, times and counts them, and says which command failed. The runners'
//! own output goes to stdout as it comes; progress goes to stderr.

use crate::counts::Counts;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Why a command of ours did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The caller's mistake.
    #[error("{0}")]
    Usage(String),
    /// A command of a step failed.
    #[error("step `{step}` failed ({status})\n  command: {command}")]
    Command { step: String, command: String, status: ExitStatus },
    /// A command could not be started, or a file not be read.
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
    /// A check of our own failed; it has printed its findings.
    #[error("step `{step}` failed: {what}")]
    Check { step: String, what: String },
    /// Something must be installed first.
    #[error("{0}")]
    Missing(String),
    /// A program that this command stands for ended by itself: its code is ours.
    #[error("`{command}` exited with {code}")]
    Exit { command: String, code: u8 },
}

impl Failure {
    pub(crate) fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Exit { code, .. } => *code,
            Self::Command { .. } | Self::Io { .. } | Self::Check { .. } | Self::Missing(_) => 1,
        }
    }
}

/// The steps of one invocation.
#[derive(Debug)]
pub(crate) struct Runner {
    root: PathBuf,
    started: Instant,
    steps: Vec<(String, Duration)>,
    counts: Counts,
    env: Vec<(String, String)>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        Self {
            root: root.to_path_buf(),
            started: Instant::now(),
            steps: Vec::new(),
            counts: Counts::default(),
            env: Vec::new(),
        }
    }

    /// The repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tests counted so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// A command that runs in the repository.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root);
        command
    }

    /// Give every later step's command this variable.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    fn envs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Name and time a piece of work.
    pub(crate) fn step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        eprintln!("── {name}");
        let began = Instant::now();
        let result = work(self);
        let took = began.elapsed();
        eprintln!("── {name}: {} in {:.1} s", ok(result.is_ok()), took.as_secs_f64());
        self.steps.push((name.to_owned(), took));
        result
    }

    /// A step that is one command.
    pub(crate) fn run(&mut self, name: &str, mut command: Command) -> Result<(), Failure> {
        command.envs(self.envs());
        self.step(name, |_| {
            let status = command.status().map_err(|error| Failure::io(display(&command), error))?;
            check(name, &command, status)
        })
    }

    /// A step that is one test run: its results are counted, also when it fails.
    pub(crate) fn run_tests(&mut self, name: &str, mut command: Command) -> Result<(), Failure> {
        command.envs(self.envs());
        self.step(name, |runner| {
            let before = runner.counts;
            let status = forward(&mut command, |line| runner.counts.read_line(line))?;
            check(name, &command, status)?;
            if runner.counts == before {
                return Err(Failure::Check { step: name.into(), what: "it ran no test".into() });
            }
            Ok(())
        })
    }

    /// A step that is one command, also when that fails: what it printed, and whether it
    /// succeeded. Its stderr passes through.
    pub(crate) fn read(
        &mut self,
        name: &str,
        mut command: Command,
    ) -> Result<(String, bool), Failure> {
        command.envs(self.envs()).stdin(Stdio::null()).stderr(Stdio::inherit());
        self.step(name, |_| {
            let output = command.output().map_err(|error| Failure::io(display(&command), error))?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok((text, output.status.success()))
        })
    }

    /// What a command printed, as part of a step; its stderr passes through.
    pub(crate) fn output(step: &str, mut command: Command) -> Result<String, Failure> {
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::io(display(&command), error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        check(step, &command, output.status).inspect_err(|_| eprint!("{text}"))?;
        Ok(text)
    }

    /// The steps with their times.
    pub(crate) fn print_times(&self) {
        eprintln!();
        for (name, took) in &self.steps {
            eprintln!("{:>8.1} s  {name}", took.as_secs_f64());
        }
        eprintln!("{:>8.1} s  in all", self.started.elapsed().as_secs_f64());
    }
}

fn ok(ok: bool) -> &'static str {
    if ok { "ok" } else { "FAILED" }
}

fn check(step: &str, command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { step: step.to_owned(), command: display(command), status })
}

/// Run a command, pass its stdout on line by line, and show each line to `see`.
fn forward(command: &mut Command, mut see: impl FnMut(&str)) -> Result<ExitStatus, Failure> {
    let name = display(command);
    let io = |error| Failure::io(name.clone(), error);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(io)?;
    if let Some(stdout) = child.stdout.take() {
        let mut ours = std::io::stdout();
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(io)?;
            let line = String::from_utf8_lossy(&line);
            see(&line);
            writeln!(ours, "{line}").map_err(io)?;
        }
    }
    child.wait().map_err(io)
}

/// A command as one would type it.
pub(crate) fn display(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(dir) = command.get_current_dir() {
        words.push(format!("cd {} &&", dir.display()));
    }
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", key.to_string_lossy(), value.to_string_lossy()));
        }
    }
    words.push(command.get_program().to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_names_its_command() {
        let mut runner = Runner::new();
        let command = runner.command("cargo", &["no-such-command"]);
        let failure = runner.run("sample", command).unwrap_err();
        assert!(failure.to_string().contains("cargo no-such-command"), "{failure}");
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn a_variable_that_was_set_reaches_the_commands_of_later_steps() {
        let mut runner = Runner::new();
        let is_seen =
            |runner: &Runner| runner.command("sh", &["-c", "test \"$DUROXIDE_SAMPLE\" = seen"]);
        let command = is_seen(&runner);
        runner.run("before", command).unwrap_err();
        runner.set_env("DUROXIDE_SAMPLE", "seen");
        let command = is_seen(&runner);
        runner.run("after", command).expect("it is seen");
    }

    #[test]
    fn a_test_run_without_tests_is_a_failure() {
        let mut runner = Runner::new();
        let command = runner.command("cargo", &["--version"]);
        let failure = runner.run_tests("sample", command).unwrap_err();
        assert!(failure.to_string().contains("ran no test"), "{failure}");
    }
}
