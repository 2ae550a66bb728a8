//! `pilotage demo`: a mesh with services and traffic in one process, to look at and to play with.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use pilotage_control::builtin::Builtin;
use pilotage_control::files::FileSource;
use pilotage_control::identities::{Identities, ProxyId};
use pilotage_control::report::Report;
use pilotage_control::source::Source;
use pilotage_model::ProxyClass;
use pilotage_proxy::ProxyConfig;

use super::CommandError;
use crate::demo::bookinfo::{self, Addresses, services};
use crate::demo::display::Display;
use crate::demo::meter::Meter;
use crate::demo::screen::{self, State};
use crate::demo::traffic::{Flow, SharedMeter};
use crate::demo::{echo, folder, shares, traffic};
use crate::embedded::{Embedded, Proxies, loopback, report, time_of_day};
use crate::exit::Status;
use crate::logging;
use crate::output;
use crate::signals::Signals;

/// How often the terminal is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// How many events are shown.
const EVENTS: usize = 5;

/// How many lines of problems are shown; the first ones say what to do.
const PROBLEM_LINES: usize = 16;

/// Connections end at once: there is nobody but the demo's own traffic.
const DRAIN: Duration = Duration::from_secs(1);

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The folder with the files to edit. What is missing is written, what is there stays
    #[arg(long, value_name = "FOLDER", default_value = "demo")]
    folder: PathBuf,

    /// Send some requests as fast as they go, print one table and end
    #[arg(long)]
    once: bool,

    /// With --once: how many requests for `reviews`
    #[arg(long, value_name = "NUMBER", default_value = "2000", requires = "once")]
    requests: NonZeroU64,
}

/// What the control loop and the traffic tell the display.
#[derive(Clone, Debug)]
struct Shared {
    meter: SharedMeter,
    told: Arc<Mutex<Told>>,
    addresses: Addresses,
}

/// What the control loop told.
#[derive(Debug)]
struct Told {
    events: Vec<String>,
    problems: Vec<String>,
    generation: u64,
    since: Instant,
}

/// Shows the mesh until told to end.
///
/// # Errors
/// When the folder cannot be written, or a port or thread not be had.
pub(crate) fn run(args: &DemoArgs) -> Result<Status, CommandError> {
    let signals = Signals::new()?;
    let prepared = folder::prepare(&args.folder)
        .map_err(|source| CommandError::Folder { path: args.folder.clone(), source })?;
    let background = Background::start()?;
    let addresses = background.block_on(echo::start())?;
    let shared = Shared::new(addresses);
    let started = start_mesh(args, &shared, &signals)?;
    let Some(embedded) = started else { return Ok(Status::Ok) };
    let header = header(args, &prepared, &embedded.proxies);
    background.start_traffic(flows(args, &embedded.proxies), &shared.meter);
    let shown = if args.once {
        once(args, &signals, &shared, &embedded.proxies)
    } else if io::stdout().is_terminal() {
        watch(&header, &signals, &shared, &embedded.proxies)
    } else {
        print_lines(&header, &signals, &shared, &embedded.proxies)
    };
    // The traffic ends before the mesh does, so that the last figures are honest.
    drop(background);
    embedded.stop();
    shown.map(|()| Status::Ok)
}

fn start_mesh(
    args: &DemoArgs,
    shared: &Shared,
    signals: &Signals,
) -> Result<Option<Embedded>, CommandError> {
    let files = FileSource::new(vec![args.folder.clone()]);
    let builtin = Builtin::new("bookinfo", bookinfo::objects(&shared.addresses));
    let sources: Vec<Box<dyn Source>> = vec![Box::new(builtin), Box::new(files)];
    let sidecar = ProxyClass { namespace: "default".into(), ..ProxyClass::default() };
    let identities = Identities { sidecar: Some(sidecar), gateways: true };
    let config = ProxyConfig {
        outbound_address: Some(free_or_any(15001)),
        admin_address: Some(free_or_any(15000)),
        drain_deadline: DRAIN,
        set_log_filter: Some(logging::start()),
        ..ProxyConfig::new()
    };
    let told = shared.clone();
    Ok(Embedded::start(sources, identities, config, signals, move |report, _| told.hear(report))?)
}

/// The usual port, or any when it is taken: the demo just works.
fn free_or_any(port: u16) -> SocketAddr {
    let usual = loopback(port);
    if std::net::TcpListener::bind(usual).is_ok() { usual } else { loopback(0) }
}

/// The runtime of services and traffic, on a thread of its own. Dropping it ends them.
#[derive(Debug)]
struct Background(tokio::runtime::Runtime);

impl Background {
    fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("demo")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Self(runtime))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn start_traffic(&self, flows: Vec<Flow>, meter: &SharedMeter) {
        let _inside = self.0.enter();
        for flow in flows {
            traffic::start(&flow, meter);
        }
    }
}

/// The requests of the demo: most for `reviews`, some for the others, and some from outside.
fn flows(args: &DemoArgs, proxies: &Proxies) -> Vec<Flow> {
    let addresses = proxies.addresses();
    let mut flows = Vec::new();
    if let Some(via) = addresses.outbound {
        let flow = |service, uri, host, rate, connections| Flow {
            service,
            uri,
            host,
            via,
            rate: Some(rate),
            connections,
        };
        let mut reviews = flow("reviews", "http://reviews:9080/reviews/0", "reviews:9080", 400, 16);
        if args.once {
            reviews.rate = None;
            reviews.connections = 4;
        }
        flows.push(reviews);
        flows.push(flow("details", "http://details:9080/details/0", "details:9080", 40, 4));
        flows.push(flow("ratings", "http://ratings:9080/ratings/0", "ratings:9080", 40, 4));
    }
    let gateway = addresses.listeners.iter().find(|(id, _)| *id != ProxyId::Sidecar);
    if let Some((_, listener)) = gateway {
        let (service, uri, host) = ("productpage", "/productpage", "bookinfo.example");
        flows.push(Flow {
            service,
            uri,
            host,
            via: listener.bound,
            rate: Some(40),
            connections: 4,
        });
    }
    flows
}

/// What stays on top.
fn header(args: &DemoArgs, prepared: &folder::Prepared, proxies: &Proxies) -> String {
    let addresses = proxies.addresses();
    let version = env!("CARGO_PKG_VERSION");
    let reviews = folder::reviews(&args.folder);
    let mut text = format!(
        "pilotage {version} · Bookinfo on this machine · edit {} and watch\n",
        reviews.display()
    );
    if !prepared.edited.is_empty() {
        let files: Vec<String> =
            prepared.edited.iter().map(|path| path.display().to_string()).collect();
        text.push_str(&format!(
            "as edited before: {} (delete it to begin anew)\n",
            files.join(", ")
        ));
    }
    text.push('\n');
    if let Some(mesh) = addresses.outbound {
        text.push_str(&format!(
            "  mesh      http://{mesh:<15}  try: curl -s -x {mesh} http://reviews:9080/reviews/0\n"
        ));
    }
    let admin = addresses.admin.map(|admin| format!("admin http://{admin}")).unwrap_or_default();
    for (_, gateway) in addresses.listeners.iter().filter(|(id, _)| *id != ProxyId::Sidecar) {
        text.push_str(&format!("  gateway   http://{:<15}  {admin}\n", gateway.bound));
    }
    text.push('\n');
    text
}

/// Draws until told to end.
fn watch(
    header: &str,
    signals: &Signals,
    shared: &Shared,
    proxies: &Proxies,
) -> Result<(), CommandError> {
    let size = terminal_size::terminal_size()
        .map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    let colour = anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    let mut display = Display::new(size, colour);
    loop {
        let state = shared.state(proxies);
        let mut frame = format!("{header}{}\n", screen::table(&state));
        for line in state.problems.iter().chain(&state.events) {
            frame.push_str(&format!("  {line}\n"));
        }
        display.draw(&frame).map_err(output::OutputError::Write)?;
        if signals.ended_within(DRAW_EVERY) {
            return Ok(());
        }
    }
}

/// Prints a line now and then until told to end, and what happens when it happens.
fn print_lines(
    header: &str,
    signals: &Signals,
    shared: &Shared,
    proxies: &Proxies,
) -> Result<(), CommandError> {
    output::print_text(header)?;
    let mut printed = 0;
    loop {
        let ended = signals.ended_within(LINE_EVERY);
        let state = shared.state(proxies);
        let mut text = String::new();
        if state.generation > printed {
            printed = state.generation;
            text.extend(
                state.problems.iter().chain(state.events.last()).map(|line| format!("{line}\n")),
            );
        }
        text.push_str(&format!("{}  {}\n", time_of_day(), screen::line(&state, "reviews")));
        output::print_text(&text)?;
        if ended {
            return Ok(());
        }
    }
}

/// Prints one table after some requests.
fn once(
    args: &DemoArgs,
    signals: &Signals,
    shared: &Shared,
    proxies: &Proxies,
) -> Result<(), CommandError> {
    loop {
        let ended = signals.ended_within(Duration::from_millis(20));
        if ended || shared.meter().total_of("reviews") >= args.requests.get() {
            break;
        }
    }
    output::print_text(&screen::table(&shared.state(proxies)))?;
    Ok(())
}

impl Shared {
    fn new(addresses: Addresses) -> Self {
        let now = Instant::now();
        let told = Told { events: Vec::new(), problems: Vec::new(), generation: 0, since: now };
        Self {
            meter: Arc::new(Mutex::new(Meter::new(now))),
            told: Arc::new(Mutex::new(told)),
            addresses,
        }
    }

    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the control loop tells. New rules begin new figures.
    fn hear(&self, told: &Report) {
        let now = Instant::now();
        let (problems, line) = report::text(told, &time_of_day());
        let mut state = self.told();
        state.problems = problems.lines().take(PROBLEM_LINES).map(str::to_owned).collect();
        state.events.extend(line.lines().map(str::to_owned));
        let surplus = state.events.len().saturating_sub(EVENTS);
        state.events.drain(..surplus);
        if let Report::Published(published) = told {
            state.generation = published.number;
            state.since = now;
            self.meter().reset(now);
        }
    }

    /// All that is to be shown now.
    fn state(&self, proxies: &Proxies) -> State {
        let now = Instant::now();
        let generation = proxies.generation();
        let resources = generation.proxies.get(&ProxyId::Sidecar);
        let asked = services().into_iter().filter_map(|service| {
            Some((service, shares::asked(resources?, service, &self.addresses)?))
        });
        let told = self.told();
        State {
            events: told.events.clone(),
            problems: told.problems.clone(),
            generation: told.generation,
            age: now.duration_since(told.since),
            asked: asked.collect(),
            figures: self.meter().figures(now),
        }
    }
}
