//! `duroxide-chaos`: processes on one store, killed again and again while they work. Prints what it
//! did and found; ends with 1 if something was wrong. Not here: the run itself (`chaos`).

use duroxide_tests::chaos::{Options, Plan, Result, StoreKind, run};
use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "\
duroxide-chaos [--store sqlite|postgres] [--seconds 60] [--workflows 500] [--seed 1]
  Needs the Node package as it is built in bindings/node.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match options(&args).and_then(|options| chaos(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}

fn chaos(options: &Options) -> Result<bool> {
    let Options { store, seconds, workflows, seed } = *options;
    let plan = Plan::draw(seed, store, seconds);
    let name = format!("duroxide-chaos-{seed}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let mut out = std::io::stdout();
    let places = plan.places;
    writeln!(
        out,
        "chaos on {store}: {places} processes, {workflows} workflows, {seconds} s, seed {seed}"
    )?;
    writeln!(out, "plan: {plan}")?;
    let summary = run(*options, &plan, &folder)?;
    write!(out, "{summary}")?;
    if !summary.broken.is_empty() {
        writeln!(out, "what it left is in {}", folder.display())?;
    }
    Ok(summary.broken.is_empty())
}

fn options(args: &[String]) -> Result<Options> {
    let mut options = Options { store: StoreKind::Sqlite, seconds: 60, workflows: 500, seed: 1 };
    for pair in args.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("`{}` needs a value\n{USAGE}", pair[0]).into());
        };
        match (flag.as_str(), value.as_str()) {
            ("--store", "sqlite") => options.store = StoreKind::Sqlite,
            ("--store", "postgres") => options.store = StoreKind::Postgres,
            ("--seconds", number) => options.seconds = positive(flag, number)?,
            ("--workflows", number) => options.workflows = positive(flag, number)?,
            ("--seed", number) => options.seed = number.parse()?,
            _ => return Err(format!("`{flag} {value}` is unknown\n{USAGE}").into()),
        }
    }
    Ok(options)
}

fn positive(flag: &str, number: &str) -> Result<u64> {
    let parsed = number.parse().ok().filter(|number| *number > 0);
    parsed.ok_or_else(|| format!("{flag} takes a positive number, not `{number}`\n{USAGE}").into())
}
