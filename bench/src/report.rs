//! Medians over the rounds, as tables and as JSON.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use crate::load::Scenario;
use crate::proxies::Kind;

/// What one measurement found.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    /// Nothing: idle, or the count of system calls.
    pub(crate) scenario: Option<Scenario>,
    /// Nothing where the proxy cannot do it.
    pub(crate) figures: Option<Figures>,
    /// Resident memory afterwards.
    pub(crate) memory_kib: Option<u64>,
    /// System calls per request.
    pub(crate) syscalls: Option<f64>,
}

/// Cost and speed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// CPU time of the proxy per request, user and system.
    pub(crate) cpu_us: f64,
    /// The user part: what is the proxy's own.
    pub(crate) user_us: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

impl Sample {
    /// Memory before the first request.
    pub(crate) fn idle(kind: Kind, memory_kib: u64) -> Self {
        Self { kind, scenario: None, figures: None, memory_kib: Some(memory_kib), syscalls: None }
    }

    /// The proxy cannot do this.
    pub(crate) fn none(kind: Kind, scenario: Scenario) -> Self {
        Self { kind, scenario: Some(scenario), figures: None, memory_kib: None, syscalls: None }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scenario = self.scenario.map_or_else(|| "idle".to_owned(), |s| s.to_string());
        write!(f, "{:13} {scenario:6}", self.kind)?;
        match &self.figures {
            Some(x) => write!(
                f,
                " {:6.1} µs/req ({:.1} user)  {:8.0} req/s  p50 {} µs  p99 {} µs",
                x.cpu_us, x.user_us, x.requests_per_second, x.p50_us, x.p99_us
            ),
            None => write!(f, " –"),
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// One table per scenario, and one of memory and system calls.
pub(crate) fn tables(samples: &[Sample], scenarios: &[Scenario], kinds: &[Kind]) -> String {
    let mut out = String::new();
    for scenario in scenarios {
        let of = |kind: Kind, pick: fn(&Figures) -> f64| {
            let matching =
                samples.iter().filter(|s| s.kind == kind && s.scenario == Some(*scenario));
            median(matching.filter_map(|s| s.figures.as_ref().map(pick)).collect())
        };
        let _infallible = writeln!(
            out,
            "\n{scenario:13}  CPU µs/req    user  to Envoy     req/s    p50 µs    p99 µs"
        );
        for kind in kinds {
            let Some(cpu) = of(*kind, |x| x.cpu_us) else {
                let _infallible = writeln!(out, "{kind:13}           –");
                continue;
            };
            let cell = |pick: fn(&Figures) -> f64| of(*kind, pick).unwrap_or_default();
            let envoy = of(kind.reference(), |x| x.cpu_us);
            let ratio = envoy.map_or_else(|| "–".to_owned(), |envoy| format!("{:.2}", cpu / envoy));
            let _infallible = writeln!(
                out,
                "{kind:13}  {cpu:10.1}  {:6.1}  {ratio:>8}  {:8.0}  {:8.0}  {:8.0}",
                cell(|x| x.user_us),
                cell(|x| x.requests_per_second),
                cell(|x| f64::from(x.p50_us)),
                cell(|x| f64::from(x.p99_us)),
            );
        }
        let cost = |kind| of(kind, |x| x.cpu_us);
        if let (Some(bare), Some(full)) = (cost(Kind::Pilotage), cost(Kind::PilotageFull)) {
            let _infallible =
                writeln!(out, "all features cost Pilotage {:.2} of bare", full / bare);
        }
    }
    let _infallible = writeln!(out, "\n               idle MiB  loaded MiB  calls/req");
    for kind in kinds {
        let own = samples.iter().filter(|s| s.kind == *kind);
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        let idle = own.clone().find(|s| s.scenario.is_none()).and_then(|s| s.memory_kib);
        let loaded =
            own.clone().filter(|s| s.scenario.is_some()).filter_map(|s| s.memory_kib).max();
        let calls = own.clone().find_map(|s| s.syscalls);
        let dash = || "–".to_owned();
        let _infallible = writeln!(
            out,
            "{kind:13}  {:>8}  {:>10}  {:>9}",
            idle.map_or_else(dash, mib),
            loaded.map_or_else(dash, mib),
            calls.map_or_else(dash, |calls| format!("{calls:.2}")),
        );
    }
    out
}

/// Every sample.
pub(crate) fn json(samples: &[Sample]) -> Value {
    let row = |s: &Sample| {
        json!({
            "proxy": s.kind.to_string(),
            "scenario": s.scenario.map(|s| s.to_string()),
            "cpu_us": s.figures.map(|x| x.cpu_us),
            "user_us": s.figures.map(|x| x.user_us),
            "requests_per_second": s.figures.map(|x| x.requests_per_second),
            "p50_us": s.figures.map(|x| x.p50_us),
            "p99_us": s.figures.map(|x| x.p99_us),
            "memory_kib": s.memory_kib,
            "syscalls_per_request": s.syscalls,
        })
    };
    samples.iter().map(row).collect()
}
