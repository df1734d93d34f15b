//! `cargo xtask conformance`: the contract's checks on every provider, as one table. Each
//! provider runs them in its own tests; here they are started and what they print is read.
//! Not here: any check.

mod read;
mod table;

use crate::runner::{Failure, Runner};
use crate::{postgres, tools};
use read::Outcome;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use table::Table;

/// The matrix of the faulty stores is to be measured whole; and where it goes as JSON.
const MATRIX: &str = "DUROXIDE_MATRIX";
const MATRIX_JSON: &str = "DUROXIDE_MATRIX_JSON";

/// A column: a name, the crate and the test binary that run the suite, and the module there.
struct Provider {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    module: &'static str,
}

const fn provider(
    name: &'static str,
    package: &'static str,
    test: &'static str,
    module: &'static str,
) -> Provider {
    Provider { name, package, test, module }
}

const PROVIDERS: [Provider; 5] = [
    provider("sqlite-file", "duroxide-sqlite", "conformance", "in_a_file::"),
    provider("sqlite-memory", "duroxide-sqlite", "conformance", "in_memory::"),
    provider("postgres", "duroxide-postgres", "conformance", ""),
    provider("remote", "duroxide-remote", "conformance", "suite::"),
    provider("model", "duroxide-model", "model", "conformance::"),
];

/// A part of the contract, as the suite's catalogue tells it.
#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    title: String,
    checks: Vec<String>,
}

/// What was asked on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    json: Option<PathBuf>,
    providers: Vec<String>,
    faulty: bool,
}

impl Asked {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut asked = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().ok_or_else(|| usage(arg, "takes a value"));
            match arg.as_str() {
                "--faulty" => asked.faulty = true,
                "--json" => asked.json = Some(PathBuf::from(value()?)),
                "--provider" => asked.providers.push(value()?),
                _ => return Err(usage(arg, "is not known")),
            }
        }
        for name in &asked.providers {
            if !PROVIDERS.iter().any(|provider| provider.name == *name) {
                let known = PROVIDERS.map(|provider| provider.name).join(", ");
                return Err(usage(name, &format!("is no provider; known are {known}")));
            }
        }
        if asked.faulty && !asked.providers.is_empty() {
            return Err(usage("--faulty", "concerns no provider"));
        }
        Ok(asked)
    }

    fn wants(&self, provider: &Provider) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|name| name == provider.name)
    }
}

fn usage(arg: &str, what: &str) -> Failure {
    Failure::Usage(format!("`conformance`: `{arg}` {what}"))
}

/// The table, or the matrix.
pub(crate) fn run(runner: &mut Runner, args: &[String]) -> Result<(), Failure> {
    let asked = Asked::parse(args)?;
    tools::require_rust(runner)?;
    if asked.faulty { matrix(runner, &asked) } else { providers(runner, &asked) }
}

/// What catches what: printed by the suite's own tests.
fn matrix(runner: &mut Runner, asked: &Asked) -> Result<(), Failure> {
    let test = ["test", "--package", "duroxide-conformance", "--test", "faulty"];
    let mut command = runner.command("cargo", &test);
    command.args(["--", "--nocapture"]).env("RUST_BACKTRACE", "0").env(MATRIX, "1");
    if let Some(json) = &asked.json {
        command.env(MATRIX_JSON, std::path::absolute(json).map_err(|e| Failure::io("--json", e))?);
    }
    runner.run_tests("stores that are faulty on purpose", command)
}

fn providers(runner: &mut Runner, asked: &Asked) -> Result<(), Failure> {
    let groups = catalogue(runner)?;
    let wanted: Vec<_> = PROVIDERS.iter().filter(|provider| asked.wants(provider)).collect();
    let needs_postgres = wanted.iter().any(|provider| provider.name == "postgres");
    let _postgres = if needs_postgres { Some(postgres::start(runner)?) } else { None };
    let mut table = Table::new(groups);
    for provider in wanted {
        table.push(provider.name, outcomes(runner, provider)?);
    }
    let mut stdout = std::io::stdout();
    let io = |error| Failure::io("stdout", error);
    write!(stdout, "{}", table.text()).map_err(io)?;
    if let Some(path) = &asked.json {
        fs::write(path, table.json())
            .map_err(|error| Failure::io(path.display().to_string(), error))?;
    }
    match table.complaints() {
        0 => Ok(()),
        count => {
            let what = format!("{count} checks failed or were not run");
            Err(Failure::Check { step: "conformance".into(), what })
        }
    }
}

/// Everything that is to be checked.
fn catalogue(runner: &mut Runner) -> Result<Vec<Group>, Failure> {
    let run = ["run", "--quiet", "--package", "duroxide-conformance", "--example", "catalogue"];
    let command = runner.command("cargo", &run);
    let (text, _) = runner.read("list the checks", command)?;
    serde_json::from_str(&text).map_err(|error| Failure::Check {
        step: "list the checks".into(),
        what: format!("the catalogue is no list of groups: {error}"),
    })
}

/// How each check ended on a provider. That the tests failed is told by those that did; a
/// provider that does not even build has no outcomes, and its checks count as not run.
fn outcomes(
    runner: &mut Runner,
    provider: &Provider,
) -> Result<BTreeMap<String, Outcome>, Failure> {
    let test = ["test", "--package", provider.package, "--test", provider.test, "--"];
    let mut command = runner.command("cargo", &test);
    // What a skipped check says is on its stdout.
    command.args(["--show-output", provider.module]).env("RUST_BACKTRACE", "0");
    let (printed, _) = runner.read(&format!("the checks on {}", provider.name), command)?;
    Ok(read::outcomes(&printed, provider.module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Asked, Failure> {
        Asked::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_understood_or_refused_by_name() {
        let asked = parse(&["--provider", "remote", "--json", "out.json"]).expect("fine");
        assert_eq!(asked.providers, ["remote"]);
        assert_eq!(asked.json, Some(PathBuf::from("out.json")));
        assert!(parse(&["--faulty"]).expect("fine").faulty);
        for (args, word) in [
            (&["--provider"][..], "takes a value"),
            (&["--provider", "oracle"], "sqlite-file"),
            (&["--quick"], "not known"),
            (&["--faulty", "--provider", "model"], "no provider"),
        ] {
            let failure = parse(args).unwrap_err().to_string();
            assert!(failure.contains(word), "{failure}");
        }
    }
}
