//! What the demo shows: a pure function from figures to lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::bookinfo::{PORT, WORKLOADS, services};
use super::meter::{Count, Figures};
use super::shares::Shares;

/// The width of a full bar.
const BAR: usize = 40;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// All that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// What happened last, oldest first.
    pub(crate) events: Vec<String>,
    /// What is wrong in the files, rendered.
    pub(crate) problems: Vec<String>,
    /// The generation in force.
    pub(crate) generation: u64,
    /// How long it has been in force.
    pub(crate) age: Duration,
    /// The shares asked for, by service.
    pub(crate) asked: BTreeMap<&'static str, Shares>,
    /// What requests met.
    pub(crate) figures: Figures,
}

/// The table of `reviews` and a line for each other service, with colours.
pub(crate) fn table(state: &State) -> String {
    let mut text = String::new();
    let versions = |service: &str| WORKLOADS.iter().filter(|it| it.service == service).count();
    for service in services() {
        if versions(service) > 1 {
            split(&mut text, state, service);
        }
    }
    text.push('\n');
    for service in services() {
        if versions(service) == 1 {
            single(&mut text, state, service);
        }
    }
    text
}

/// A service with several versions: a line for it and a bar for each of them. Writing to a string cannot fail.
fn split(text: &mut String, state: &State, service: &str) {
    let figures = &state.figures;
    let none = Count::default();
    let all = figures.services.get(service).map_or(&none, |count| &count.all);
    let name = format!("{service}.default.svc.cluster.local:{PORT}");
    let age = state.age.as_secs();
    writeln!(
        text,
        "  {BOLD}{name:<46}{PLAIN}{:>5.0} req/s   {}    {DIM}generation {}, {age} s ago{PLAIN}",
        figures.rate(service),
        success(all),
        state.generation,
    )
    .ok();
    for workload in WORKLOADS.iter().filter(|it| it.service == service) {
        let version = workload.version;
        let seen = figures.share(service, version);
        let asked = match state.asked.get(service) {
            Some(shares) => format!("{:>3.0} %", shares.get(version).copied().unwrap_or(0.0)),
            None => "  ? %".to_owned(),
        };
        let count = figures.services.get(service).and_then(|count| count.versions.get(version));
        let latency = count.map_or_else(String::new, latency);
        writeln!(text, "    {version}  {} {seen:>5.1} %  of {asked}   {latency}", bar(seen)).ok();
    }
}

fn single(text: &mut String, state: &State, service: &str) {
    let figures = &state.figures;
    let Some(count) = figures.services.get(service) else { return };
    let (rate, success, latency) =
        (figures.rate(service), success(&count.all), latency(&count.all));
    let name = format!("{service}.default.svc.cluster.local:{PORT}");
    writeln!(text, "  {name:<46}{rate:>5.0} req/s   {success}   {latency}").ok();
}

fn bar(percent: f64) -> String {
    let full = ((percent / 100.0 * BAR as f64).round() as usize).min(BAR);
    let rest = if full == 0 { " " } else { "░" };
    format!("{GREEN}{}{DIM}{}{PLAIN}", "█".repeat(full), rest.repeat(BAR - full))
}

fn success(count: &Count) -> String {
    let success = count.success();
    let colour = if success < 99.95 { RED } else { "" };
    format!("{colour}{success:>5.1} % ok{PLAIN}")
}

fn latency(count: &Count) -> String {
    let show = |quantile| count.latency.quantile(quantile).map_or_else(|| "–".to_owned(), duration);
    format!("p50 {:<7} p99 {:<7}", show(0.5), show(0.99))
}

fn duration(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    match millis {
        _ if millis < 10.0 => format!("{millis:.1} ms"),
        _ if millis < 1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1e3),
    }
}

/// One line with the shares, for logs and pipes.
pub(crate) fn line(state: &State, service: &str) -> String {
    let figures = &state.figures;
    let mut text = service.to_owned();
    for workload in WORKLOADS.iter().filter(|it| it.service == service) {
        let version = workload.version;
        let seen = figures.share(service, version);
        let asked = state.asked.get(service).map_or_else(
            || "?".to_owned(),
            |shares| format!("{:.0}", shares.get(version).copied().unwrap_or(0.0)),
        );
        write!(text, "  {version} {seen:.1} % of {asked} %").ok();
    }
    let none = Count::default();
    let all = figures.services.get(service).map_or(&none, |count| &count.all);
    let rate = figures.rate(service);
    write!(text, "  {rate:.0} req/s  {:.1} % ok  {}", all.success(), latency(all).trim_end()).ok();
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::demo::meter::{Meter, Outcome};

    fn state() -> State {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        for (version, times) in [("v1", 803), ("v2", 197)] {
            for _ in 0..times {
                let latency = Duration::from_micros(300);
                meter.record(now, "reviews", Outcome { version: Some(version), ok: true, latency });
            }
        }
        State {
            generation: 3,
            age: Duration::from_secs(2),
            asked: BTreeMap::from([("reviews", Shares::from([("v1", 80.0), ("v2", 20.0)]))]),
            figures: meter.figures(now + Duration::from_secs(2)),
            ..State::default()
        }
    }

    #[test]
    fn the_table_shows_what_was_asked_and_what_was_seen() {
        let shown = anstream::adapter::strip_str(&table(&state())).to_string();
        let expected = [
            "  reviews.default.svc.cluster.local:9080          500 req/s   100.0 % ok    generation 3, 2 s ago",
            "    v1  ████████████████████████████████░░░░░░░░  80.3 %  of  80 %   p50 0.3 ms  p99 0.3 ms",
            "    v2  ████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  19.7 %  of  20 %   p50 0.3 ms  p99 0.3 ms",
            "    v3                                             0.0 %  of   0 %",
        ];
        assert_eq!(shown.lines().take(4).map(str::trim_end).collect::<Vec<_>>(), expected);
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    }

    #[test]
    fn the_line_says_the_same() {
        assert_eq!(
            line(&state(), "reviews"),
            "reviews  v1 80.3 % of 80 %  v2 19.7 % of 20 %  v3 0.0 % of 0 %  500 req/s  100.0 % ok  \
             p50 0.3 ms  p99 0.3 ms"
        );
    }
}
