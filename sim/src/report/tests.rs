//! The report of a small run that fails: what its page shows in a real browser, before and
//! after a click, and what it says of an instance as text.

use super::story::{CallStory, HostKind, HostStory, InstanceStory, Mark, MarkKind, Story};
use super::{page, timeline};
use crate::fault::{CATALOGUE, Freeze, Kill, LoseAnswer};
use crate::plan::{HostPlan, OUTSIDE, Plan, Planned, STORE};
use crate::point::{Boundary, Op};
use crate::run::{Outcome, run_traced};
use crate::swarm::Swarm;
use crate::trace::Entry;
use crate::workload::{Orders, Workload};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};

/// Any of these shows a page without a window; `cargo xtask test` installs one.
const BROWSERS: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];
const AGAIN: &str = "cargo xtask sim replay <a plan>";

/// Two nodes, four orders and three faults; what activities `ship` return is changed, so
/// that it fails.
fn plan() -> Plan {
    let mut plan = Plan::draw(3, &Orders, &Swarm::all()).calm();
    let node = |name: &str| HostPlan { name: name.to_owned(), ..plan.nodes[0].clone() };
    plan.nodes = vec![node("node-1"), node("node-2")];
    plan.instances.truncate(4);
    let commit = Boundary::Durable(Op::CommitTurn);
    let at =
        |host: &str, boundary, nth, fault| Planned { host: host.to_owned(), boundary, nth, fault };
    plan.faults = vec![
        at("node-1", commit, 3, Kill { down_ms: 45_000 }.into()),
        at("node-2", commit, 2, LoseAnswer { told: true }.into()),
        at("node-2", Boundary::Wrote, 40, Freeze { for_ms: 8_000 }.into()),
    ];
    plan.flip = Some("ship".to_owned());
    plan
}

/// Run once for all tests.
static FAILING_RUN: LazyLock<(Plan, Outcome, Vec<Entry>)> = LazyLock::new(|| {
    let plan = plan();
    let (outcome, entries) = run_traced(&plan, &(Arc::new(Orders) as Arc<dyn Workload>), true);
    (plan, outcome, entries)
});

/// How many faults of the catalogue were counted.
fn faults_of(outcome: &Outcome) -> u64 {
    CATALOGUE.iter().map(|kind| outcome.counts.of(kind.name)).sum()
}

/// Show a page in a browser, let a script look at it, and give what the script found.
fn look(name: &str, page: &str, script: &str) -> Value {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("duroxide-sim-report-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("page.html");
    let probe = format!(
        "<script>document.body.append(Object.assign(document.createElement('pre'), \
         {{ id: 'probe', textContent: JSON.stringify((() => {{ {script} }})()) }}));</script></body>"
    );
    std::fs::write(&file, page.replace("</body>", &probe)).unwrap();
    let runs = |program: &&&str| Command::new(program).arg("--version").output().is_ok();
    let browser = BROWSERS.iter().find(runs);
    let browser = browser.expect("a headless Chromium, which `cargo xtask test` installs");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1400,1000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    let found =
        dom.rsplit_once("<pre id=\"probe\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found.unwrap_or_else(|| panic!("the page did not get so far: {dom}"));
    // Left for whoever looks into a failure, and else of no use.
    let _ = std::fs::remove_dir_all(&folder);
    let text = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_page_shows_the_failure_every_host_and_every_fault_that_counted() {
    let (plan, outcome, entries) = &*FAILING_RUN;
    let failure = outcome.failure.as_ref().expect("a changed result fails the run");
    let page = page(plan, outcome, entries, AGAIN).unwrap();
    let seen = look(
        "whole",
        &page,
        "const all = query => [...document.querySelectorAll(query)];
         const canvas = document.getElementById('canvas');
         const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
         return {
           ready: document.body.dataset.ready,
           badge: document.getElementById('badge').textContent,
           sentence: document.getElementById('sentence').textContent,
           again: document.getElementById('again').textContent,
           lanes: all('.lane').map(lane => lane.dataset.host),
           faults: all('.fault.met:not([hidden])').map(fault => fault.dataset.name).sort(),
           instances: all('#instances button').length,
           chosen: all('[aria-current]').map(button => button.dataset.instance),
           painted: data.some(byte => byte !== 0),
         };",
    );
    assert_eq!(seen["ready"], "yes");
    assert_eq!(seen["badge"], "failed");
    assert_eq!(seen["sentence"].as_str(), failure.sentence.lines().next());
    assert_eq!(seen["again"], AGAIN);
    let mut lanes: Vec<_> = plan.client_names().chain([STORE.to_owned()]).collect();
    lanes.extend(plan.nodes.iter().map(|node| node.name.clone()));
    lanes.push(OUTSIDE.to_owned());
    assert_eq!(seen["lanes"], json!(lanes));
    assert_eq!(seen["faults"], json!(["freeze", "kill", "lose_answer"]), "{}", outcome.counts);
    assert_eq!(faults_of(outcome), 3);
    assert_eq!(seen["instances"], 4);
    assert_eq!(seen["chosen"], json!([failure.instance]));
    assert_eq!(seen["painted"], true);
}

#[test]
fn a_click_on_an_instance_shows_what_happened_to_it_and_its_history() {
    let (plan, outcome, entries) = &*FAILING_RUN;
    let page = page(plan, outcome, entries, AGAIN).unwrap();
    for id in ["order-2", "order-4"] {
        let script = format!(
            "document.querySelector('[data-instance=\"{id}\"]').click();
             const texts = query => [...document.querySelectorAll(query)].map(it => it.textContent);
             return {{
               title: texts('#history h2')[0],
               lines: texts('#timeline tr td:last-child'),
               events: texts('.event'),
               address: location.hash,
             }};"
        );
        let seen = look(id, &page, &script);
        assert_eq!(seen["title"], format!("History of {id}"));
        assert_eq!(seen["address"], format!("#instance={id}"));
        let told = timeline(entries, id);
        let lines = seen["lines"].as_array().unwrap();
        assert_eq!(lines.len(), told.lines().count());
        for (line, told) in lines.iter().zip(told.lines()) {
            assert!(told.ends_with(line.as_str().unwrap()), "{told}: {line}");
        }
        let events = seen["events"].as_array().unwrap();
        let has = |event: &Value, what: &str| event.as_str().unwrap().contains(what);
        assert!(has(events.first().unwrap(), "#1 turn 1 @"), "{events:?}");
        assert!(has(events.first().unwrap(), &format!("input=\"{id}\"")), "{events:?}");
        assert!(has(events.last().unwrap(), "OrchestrationCompleted"), "{events:?}");
    }
}

#[test]
fn nothing_that_a_run_says_ends_the_pages_own_script() {
    let (plan, outcome, _) = &*FAILING_RUN;
    let mut plan = plan.clone();
    plan.workload = "</script><b>".to_owned();
    let page = page(&plan, outcome, &[], AGAIN).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["plan"]["workload"], "</script><b>");
    assert_eq!(data["again"], AGAIN);
}

#[test]
fn the_timeline_of_an_instance_tells_its_start_its_leases_turns_faults_and_end() {
    let (_, _, entries) = &*FAILING_RUN;
    let told: String = (1..=4).map(|order| timeline(entries, &format!("order-{order}"))).collect();
    for part in [
        "asks: start `order` with \"order-1\"",
        "gets: start `order` with \"order-1\": Created",
        "is granted it (execution 1), for: its start",
        "turn 1: #1 OrchestrationStarted name=order, #2 ActivityScheduled name=reserve",
        "is struck by kill (durable commit_turn no. 3, down_ms=45000), while it",
        "hears: ",
        "takes it over from node-1",
        "completed: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let times: Vec<f64> = timeline(entries, "order-1")
        .lines()
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(timeline(entries, "nobody"), "  nothing was heard of `nobody`\n");
}

#[test]
fn what_struck_and_met_nothing_is_not_among_the_faults_that_counted() {
    let (_, outcome, entries) = &*FAILING_RUN;
    let story = super::teller::Teller::tell(entries);
    let met = story.marks.iter().filter(|mark| mark.kind == MarkKind::Fault);
    assert_eq!(met.clone().count() as u64, faults_of(outcome));
    assert!(met.clone().all(|mark| mark.why.is_some()), "each says where it struck");
    let dead = |name: &str| story.hosts.iter().find(|host| host.name == name).unwrap().lives.len();
    assert_eq!((dead("node-1"), dead("node-2")), (2, 1));
}

#[test]
fn a_call_whose_caller_died_is_felt_no_more() {
    let host = HostStory {
        name: "node-1".to_owned(),
        kind: HostKind::Node,
        lives: vec![(0, Some(5)), (9, None)],
        troubled: Vec::new(),
    };
    let mark = |at| Mark { at, host: 0, name: "kill".to_owned(), kind: MarkKind::Fault, why: None };
    let call = CallStory {
        op: "CommitTurn".to_owned(),
        host: 0,
        from: 1,
        done: Vec::new(),
        answered: None,
        error: None,
        instance: Some(0),
    };
    let instance = InstanceStory {
        id: "order-1".to_owned(),
        orchestration: "order".to_owned(),
        end: None,
        lines: Vec::new(),
        executions: Vec::new(),
    };
    let mut story = Story {
        hosts: vec![host],
        marks: vec![mark(5), mark(12)],
        calls: vec![call],
        instances: vec![instance],
        ..Story::default()
    };
    super::struck::tell(&mut story);
    let times: Vec<_> = story.instances[0].lines.iter().map(|line| line.at).collect();
    assert_eq!(times, [5]);
}
