//! Pilotage beside Envoy, HAProxy and nginx: the same routing work, one proxy at a time alone on a core, in
//! interleaved rounds, so that a slow minute of the machine hits everybody. See `bench/README.md`.

mod configs;
mod load;
mod process;
mod proxies;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use load::Scenario;
use proxies::{Kind, Proxy};
use report::Sample;

/// Compares proxies side by side.
#[derive(Debug, Parser)]
struct Args {
    /// Interleaved rounds; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in one measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Requests per second of the paced scenario.
    #[arg(long, default_value_t = 8_000)]
    pace: u32,
    /// Proxies to run.
    #[arg(long, value_delimiter = ',', default_values_t = Kind::ALL)]
    proxies: Vec<Kind>,
    /// Scenarios to run.
    #[arg(long, value_delimiter = ',', default_values_t = Scenario::ALL)]
    scenarios: Vec<Scenario>,
    /// The Pilotage binary.
    #[arg(long, default_value = "target/release/pilotage")]
    pilotage: PathBuf,
    /// Also count system calls per request, with strace.
    #[arg(long)]
    syscalls: bool,
    /// Print the figures as JSON as well.
    #[arg(long)]
    json: bool,
}

/// The core that the proxy under test has for itself.
const PROXY_CORE: usize = 0;
/// The core of everything else: load generator and upstream.
const OTHER_CORE: usize = 1;

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn main() -> Result<()> {
    let args = Args::parse();
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("two cores are needed: one for the proxy, one for load and upstream");
    }
    let folder = process::TempFolder::new()?;
    let upstream = proxies::upstream(folder.path())?;
    let mut running = Vec::new();
    for kind in &args.proxies {
        let proxy = Proxy::start(*kind, upstream.port, folder.path(), &args.pilotage)
            .with_context(|| format!("cannot start {kind}"))?;
        running.push(proxy);
    }
    let mut samples = Vec::new();
    for proxy in &running {
        samples.push(Sample::idle(proxy.kind, proxy.memory()?));
    }
    for round in 1..=args.rounds {
        for scenario in &args.scenarios {
            for proxy in &running {
                let sample =
                    load::measure(proxy, *scenario, args.seconds, args.pace, folder.path())
                        .with_context(|| {
                            format!("{} under {scenario}, round {round}", proxy.kind)
                        })?;
                eprint_progress(round, &sample);
                samples.push(sample);
            }
        }
    }
    if args.syscalls {
        for proxy in &running {
            samples.push(load::count_syscalls(proxy, folder.path())?);
        }
    }
    println!("{}", report::tables(&samples, &args.scenarios, &args.proxies));
    if args.json {
        println!("{}", report::json(&samples));
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress of a run of minutes")]
fn eprint_progress(round: usize, sample: &Sample) {
    eprintln!("round {round}: {sample}");
}
