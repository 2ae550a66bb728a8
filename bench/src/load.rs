//! Load on one proxy, and what it cost.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::OTHER_CORE;
use crate::configs::{ASKED_HOST, ASKED_PATH};
use crate::process;
use crate::proxies::{Kind, Proxy};
use crate::report::{Figures, Sample};

/// A way to load a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// HTTP/1.1 with keep-alive, as fast as it goes.
    Http1,
    /// HTTP/2 with prior knowledge, as fast as it goes; HTTP/1.1 to the upstream.
    Http2,
    /// HTTP/1.1 with keep-alive at a fixed rate.
    Paced,
}

impl Scenario {
    pub(crate) const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Paced];
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Paced => "paced",
        })
    }
}

/// Connections of the saturating scenarios.
const CONNECTIONS: u32 = 32;
/// Connections of the paced scenario.
const PACED_CONNECTIONS: u32 = 40;

/// One measurement. nginx takes HTTP/2 on a plain port only with a setting that excludes HTTP/1.1 in the version
/// that Debian has, so there is no figure for it.
pub(crate) fn measure(
    proxy: &Proxy,
    scenario: Scenario,
    seconds: u32,
    pace: u32,
    folder: &Path,
) -> Result<Sample> {
    if proxy.kind == Kind::Nginx && scenario == Scenario::Http2 {
        return Ok(Sample::none(proxy.kind, scenario));
    }
    // Connections are made and caches warm before anything counts.
    run(proxy, scenario, 1, pace, folder)?;
    let before = proxy.cpu()?;
    let start = Instant::now();
    let latencies_us = run(proxy, scenario, seconds, pace, folder)?;
    let elapsed = start.elapsed();
    let after = proxy.cpu()?;
    let requests = latencies_us.len();
    if requests == 0 {
        bail!("no request was answered with 200");
    }
    let per_request = |us: u64| us as f64 / requests as f64;
    Ok(Sample {
        kind: proxy.kind,
        scenario: Some(scenario),
        figures: Some(Figures {
            cpu_us: per_request(
                after.user_us + after.system_us - before.user_us - before.system_us,
            ),
            user_us: per_request(after.user_us - before.user_us),
            requests_per_second: requests as f64 / elapsed.as_secs_f64(),
            p50_us: percentile(&latencies_us, 50),
            p99_us: percentile(&latencies_us, 99),
        }),
        memory_kib: Some(proxy.memory()?),
        syscalls: None,
    })
}

/// Runs the load generator and returns the latency of every answer of status 200, sorted, in microseconds.
fn run(
    proxy: &Proxy,
    scenario: Scenario,
    seconds: u32,
    pace: u32,
    folder: &Path,
) -> Result<Vec<u32>> {
    let log = folder.join("h2load.tsv");
    // The generator appends.
    let _absent = fs::remove_file(&log);
    let (connections, port) = match scenario {
        Scenario::Http1 => (CONNECTIONS, proxy.port),
        Scenario::Http2 => (CONNECTIONS / 4, proxy.h2_port),
        Scenario::Paced => (PACED_CONNECTIONS, proxy.port),
    };
    let mut command = Command::new("taskset");
    command.args(["-c", &OTHER_CORE.to_string()]).arg(process::find("h2load")?);
    command.args(["-t", "1", "-c", &connections.to_string(), "-D", &seconds.to_string()]);
    command.arg("--log-file").arg(&log);
    match scenario {
        Scenario::Http1 => command.arg("--h1"),
        Scenario::Http2 => command.args(["-m", "8"]),
        Scenario::Paced => command.arg("--h1").arg(format!("--rps={}", pace / connections)),
    };
    // The generator makes it `Host` for HTTP/1.1.
    command.args(["-H", &format!(":authority: {ASKED_HOST}")]);
    command.arg(format!("http://127.0.0.1:{port}{ASKED_PATH}"));
    let output = command.stdin(Stdio::null()).output().context("cannot run h2load")?;
    if !output.status.success() {
        bail!("h2load: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = fs::read_to_string(&log)?;
    let mut latencies: Vec<u32> = text.lines().filter_map(latency_of_success).collect();
    latencies.sort_unstable();
    Ok(latencies)
}

/// A line of the log: start in µs, status, latency in µs.
fn latency_of_success(line: &str) -> Option<u32> {
    let mut fields = line.split('\t');
    let status = fields.nth(1)?;
    if status != "200" {
        return None;
    }
    fields.next()?.parse().ok()
}

fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let index = (sorted.len().saturating_sub(1)) * percent / 100;
    sorted.get(index).copied().unwrap_or_default()
}

/// System calls per request when saturated. A run of its own: tracing slows everything down.
pub(crate) fn count_syscalls(proxy: &Proxy, folder: &Path) -> Result<Sample> {
    let summary = folder.join("strace.txt");
    let mut tracer = Command::new(process::find("strace")?)
        .args(["-c", "-f", "-o"])
        .arg(&summary)
        .args(["-p", &proxy.worker().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run strace")?;
    let requests = run(proxy, Scenario::Http1, 3, 0, folder)?.len();
    let stopped = Command::new("kill").args(["-INT", &tracer.id().to_string()]).status()?;
    if !stopped.success() {
        bail!("strace ended by itself");
    }
    tracer.wait()?;
    let text = fs::read_to_string(&summary)?;
    let total = text.lines().find(|line| line.trim_end().ends_with("total"));
    // `100.00 seconds usecs/call calls [errors] total`
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
    let calls = calls.context("no total in strace's summary")?;
    Ok(Sample {
        syscalls: Some(calls / requests.max(1) as f64),
        ..Sample::idle(proxy.kind, proxy.memory()?)
    })
}
