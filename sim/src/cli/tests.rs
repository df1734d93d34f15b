//! What the command understands, and what it says when it does not.

use super::*;

fn ask(line: &str) -> Result<Request, String> {
    let words = std::iter::once("duroxide-sim").chain(line.split(' '));
    Cli::try_parse_from(words).map(|cli| cli.request).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_understood_is_named() {
    for (line, named) in [
        ("fly", "'fly'"),
        ("run --seeds many", "'many'"),
        ("run --seeds 3 --fast", "'--fast'"),
        ("run --seed 3 4", "'4'"),
        ("run --seeds 0", "'0'"),
        ("run --jobs 0", "'0'"),
        ("run --seed -1", "'-1'"),
    ] {
        let error = ask(line).unwrap_err();
        assert!(error.contains(named), "{line}: {error}");
    }
}

#[test]
fn a_workload_or_fault_that_does_not_exist_is_named() {
    for line in ["plan --seed 1 --scenario nothing", "plan --seed 1 --only nothing"] {
        let request = ask(line).unwrap();
        let error = execute(&request, &mut Vec::new(), 1, &|| Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("`nothing`"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_plan_of_this_build_is_named_with_what_it_is() {
    let plan = Drawn { scenario: "order".to_owned(), only: None, always: None }.plan(1);
    let text = spell(&plan.unwrap().0).unwrap();
    let (now, then) = (format!("\"format\": {FORMAT}"), "\"format\": 99");
    assert!(text.contains(&now), "{text}");
    let folder = std::env::temp_dir().join(format!("duroxide-sim-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text, named) in [
        ("no.json", None, "No such file"),
        ("text.json", Some("hello".to_owned()), "is not a plan: expected value"),
        ("else.json", Some("{\"a\": 1}".to_owned()), "missing field `format`"),
        ("then.json", Some(text.replace(&now, then)), "format 99; this build runs format"),
        ("short.json", Some(format!("{{{now}}}")), "is not a plan: missing field"),
        ("other.json", Some(text.replace("\"order\"", "\"gone\"")), "no workload `gone`"),
    ] {
        let file = folder.join(name);
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let error = load(&file).err().unwrap().to_string();
        assert!(error.contains(named), "{name}: {error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn more_seeds_than_there_are_is_said_before_any_is_run() {
    let request = ask("run --from 18446744073709551615 --seeds 2").unwrap();
    let error = execute(&request, &mut Vec::new(), 1, &|| Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("no 2 seeds"), "{error}");
}

#[test]
fn a_plan_spelled_out_can_be_read_back() {
    let drawn = Drawn { scenario: "all".to_owned(), only: None, always: None };
    for seed in 0..20 {
        let (plan, _) = drawn.plan(seed).unwrap();
        let text = spell(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}
