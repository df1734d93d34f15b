//! The page of a suite: a table of each store, and a plot of the rates. Generated, so that no
//! number on it was typed.

use crate::result::{Failure, Floor, Line, Machine};
use crate::suite::Measured;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const STORES: [&str; 4] = ["sqlite-full", "sqlite-process", "memory", "postgres"];
const COLOURS: [&str; 4] = ["#2f6f9f", "#b4532a", "#4a8a3b", "#7a5195"];

/// Write it, and its plot beside it.
pub(crate) fn write(measured: &Measured, path: &Path) -> Result<(), Failure> {
    let plot = path.with_extension("svg");
    fs::write(&plot, svg(&measured.lines)).map_err(Failure::file(&plot))?;
    let name = plot.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    fs::write(path, text(measured, &name)).map_err(Failure::file(path))
}

fn text(Measured { machine, lines }: &Measured, plot: &str) -> String {
    let mut page = String::from(
        "# What a durable step costs\n\nWritten by `cargo xtask bench`; not by hand. Each row is a \
         process of its own, measured from outside: CPU, memory and bytes by the kernel's account of \
         the process, flushes by its account of the disk.\n\n",
    );
    let _ = writeln!(page, "{}", of_machine(machine));
    let _ = writeln!(page, "{}", of_floor(&machine.floor));
    let _ = writeln!(page, "![Steps a second by workflows in flight]({plot})\n");
    let mut by_store: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        by_store.entry(&line.store).or_default().push(line);
    }
    for (store, lines) in by_store {
        let _ = writeln!(page, "## {store}\n");
        let _ = writeln!(page, "{HEAD}");
        for line in lines {
            let _ = writeln!(page, "{}", row(line));
        }
        page.push('\n');
    }
    page
}

fn of_machine(machine: &Machine) -> String {
    let Machine { cores, kernel, file_system, node, sqlite, .. } = machine;
    let node = node.as_deref().unwrap_or("none");
    let pragmas: Vec<_> =
        machine.pragmas.iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!(
        "{cores} cores, Linux {kernel}, {file_system}, Node {node}, SQLite {sqlite} ({}).\n",
        pragmas.join(", ")
    )
}

fn of_floor(floor: &Floor) -> String {
    let postgres = |rate: Option<f64>| rate.map_or("-".to_owned(), number);
    format!(
        "The floor, measured in the same run, without the engine:\n\n| | |\n|---|--:|\n\
         | syncs of one page a second (p50 {:.2} ms) | {} |\n\
         | SQLite commits of one row a second, `synchronous=FULL` | {} |\n\
         | SQLite rows a second, 50 to a commit | {} |\n\
         | PostgreSQL inserts a second, one client | {} |\n\
         | PostgreSQL inserts a second, ten clients | {} |\n",
        floor.sync_p50_ms,
        number(floor.syncs_per_s),
        number(floor.sqlite_commits_per_s),
        number(floor.sqlite_rows_per_s),
        postgres(floor.postgres_commits_per_s),
        postgres(floor.postgres_commits_of_ten_per_s),
    )
}

const HEAD: &str = "\
| workload | in flight | host | workflows/s | steps/s | p50 ms | p99 ms | of the floor | commits/step | flushes/step | bytes/step | CPU µs/step | RSS MB |
|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

fn row(line: &Line) -> String {
    let inside = &line.inside;
    let share = line.floor_share.map_or("-".to_owned(), |share| format!("{share:.2}"));
    let steps = inside.steps.max(1) as f64;
    let commits =
        inside.commits.map_or("-".to_owned(), |commits| format!("{:.3}", commits as f64 / steps));
    format!(
        "| {} | {} | {} | {} | {} | {:.2} | {:.2} | {share} | {commits} | {:.3} | {} | {:.1} | {:.0} |",
        line.workload,
        line.at_once,
        line.host,
        number(line.workflows_per_s),
        number(line.steps_per_s),
        inside.p50_ms,
        inside.p99_ms,
        line.flushes_per_step,
        number(line.written_per_step),
        line.cpu_us_per_step,
        line.outside.peak_rss_mb,
    )
}

/// To three figures, in groups of three digits.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = value.log10().floor() as i32 - 2;
    let step = 10_f64.powi(digits.max(0));
    let text = format!("{:.0}", (value / step).round() * step);
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Points of each store and host.
type Plot<'a> = BTreeMap<(&'a str, &'a str), Vec<(f64, f64)>>;

/// Steps a second over workflows in flight, both in powers: a small plot for each workload,
/// a line for each store; Node whole, Rust dashed.
fn svg(lines: &[Line]) -> String {
    let mut plots: BTreeMap<&str, Plot<'_>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.steps_per_s > 0.0) {
        let plot = plots.entry(line.workload.as_str()).or_default();
        let points = plot.entry((line.store.as_str(), line.host.as_str())).or_default();
        points.push((line.at_once as f64, line.steps_per_s));
    }
    plots.retain(|_, plot| plot.values().any(|points| points.len() > 1));
    let (width, height) = (260.0, 190.0);
    let columns = 3;
    let rows = plots.len().div_ceil(columns).max(1);
    let (all_wide, all_high) = (width * columns as f64, height * rows as f64 + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_wide} {all_high}\" \
         font-family=\"sans-serif\" font-size=\"10\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, (store, colour)) in STORES.iter().zip(COLOURS).enumerate() {
        let x = 10.0 + 190.0 * index as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"18\" fill=\"{colour}\">{store}: Node —, Rust - -</text>"
        );
    }
    for (index, (workload, plot)) in plots.iter().enumerate() {
        let left = width * (index % columns) as f64 + 45.0;
        let top = height * (index / columns) as f64 + 50.0;
        let frame = Frame { left, top, wide: width - 65.0, high: height - 60.0 };
        frame.draw(&mut svg, workload, plot);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a small plot is.
struct Frame {
    left: f64,
    top: f64,
    wide: f64,
    high: f64,
}

impl Frame {
    /// From 1 to 200 in flight.
    fn x(&self, at_once: f64) -> f64 {
        self.left + self.wide * at_once.log10() / 200_f64.log10()
    }

    /// From 10 to some 300 000 steps a second.
    fn y(&self, rate: f64) -> f64 {
        self.top + self.high * (1.0 - (rate.log10() - 1.0) / 4.5).clamp(0.0, 1.0)
    }

    fn draw(&self, svg: &mut String, workload: &str, plot: &Plot<'_>) {
        let Self { left, top, wide, high } = self;
        let above = top - 8.0;
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{above}\" font-weight=\"bold\">{workload}</text>"
        );
        for power in 1..=5 {
            let rate = 10_f64.powi(power);
            let (at, right, label) = (self.y(rate), left + wide, left - 4.0);
            let _ = writeln!(
                svg,
                "<line x1=\"{left}\" x2=\"{right}\" y1=\"{at}\" y2=\"{at}\" stroke=\"#ddd\"/>\
                 <text x=\"{label}\" y=\"{}\" text-anchor=\"end\" fill=\"#666\">{}</text>",
                at + 3.0,
                number(rate),
            );
        }
        for at_once in [1.0, 10.0, 50.0, 200.0] {
            let (x, y) = (self.x(at_once), top + high + 12.0);
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#666\">{at_once}</text>"
            );
        }
        for ((store, host), points) in plot {
            let place = STORES.iter().position(|name| name == store).unwrap_or_default();
            let dash = if *host == "rust" { " stroke-dasharray=\"4 3\"" } else { "" };
            let at = |(at_once, rate): &(f64, f64)| {
                format!("{:.1},{:.1}", self.x(*at_once), self.y(*rate))
            };
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dash} points=\"{}\"/>",
                COLOURS[place],
                points.iter().map(at).collect::<Vec<_>>().join(" ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(3.27), "3.3");
        assert_eq!(number(1_234.0), "1 230");
        assert_eq!(number(85_432.0), "85 400");
        assert_eq!(number(1_000_000.0), "1 000 000");
    }
}
