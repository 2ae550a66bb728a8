//! The recorded requests through the running proxy: our resources, real sockets, and what a real Envoy did beside it.
//!
//! `oracle.rs` asks the engine the same without sockets. Here every request that does not need TLS or HTTP/2 is sent:
//! to a sidecar by CONNECT on its outbound port, to a gateway at its listener. A PROXY header says
//! which address the recorded client had. Chance is real here, where weights and percentages ask for it, so the floors
//! leave room for one unlucky draw in each area. `PILOTAGE_SHOW=vsm-host/requests` prints the differences.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test reports on the terminal and may stop where it goes wrong"
)]

#[path = "running/conversation.rs"]
mod conversation;
#[path = "running/resources.rs"]
mod loopback;
#[path = "running/upstream.rs"]
mod upstream;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proxy::{AccessLogSettings, Lines, LogFormat, LogTarget};
use pilotage_proxy::{Proxy, ProxyConfig, ProxyHandle};
use pilotage_testkit::ours::Ours;
use pilotage_testkit::outcome;
use pilotage_testkit::scores::Scores;
use pilotage_testkit::vectors::{self, AREAS, Asker, Exchange, oracle};
use serde_json::Value;

use self::conversation::{Conversation, Heard};
use self::upstream::Upstream;

/// A line of the access log.
type Line = BTreeMap<String, Value>;

/// The port of the first client of an area.
const FIRST_PORT: u16 = 20_000;

#[test]
fn the_running_proxy_does_what_envoy_did() {
    let upstream = Upstream::start();
    let proxy = Running::start();
    let mut scores = Scores::new("outcomes-running");
    for (area, _) in AREAS {
        let mut asked = Vec::new();
        let cases = vectors::area(area);
        for case in cases.iter().filter(|case| !oracle::is_foreign(&case.name)) {
            let ours = Ours::of_case(case);
            for asker in &case.proxies {
                let mine = |e: &&Exchange| e.request.proxy == asker.name && can_be_sent(asker, e);
                let exchanges: Vec<&Exchange> = case.exchanges.iter().filter(mine).collect();
                if exchanges.is_empty() {
                    continue;
                }
                proxy.obey(&loopback::resources(&ours.resources(asker), upstream.port));
                for exchange in exchanges {
                    let port = FIRST_PORT + u16::try_from(asked.len()).unwrap();
                    let heard = proxy.send(asker, exchange, port, &upstream);
                    asked.push((case.name.as_str(), exchange, heard));
                }
            }
        }
        let logged = asked.iter().filter(|(_, _, heard)| heard.is_logged()).count();
        let mut lines = proxy.log(area, logged);
        for (number, (case, exchange, heard)) in asked.iter().enumerate() {
            let line = if heard.is_logged() { take(&mut lines, number, exchange) } else { None };
            let ours = conversation::outcome(exchange, heard, line.as_ref());
            scores.count(area, case, "requests", &differences(exchange, &ours));
        }
    }
    scores.hold();
}

/// Takes the line of the exchange with this number out of the log: that with its client's port, or where somebody else
/// is told to be the client, the first for its path.
fn take(lines: &mut Vec<Line>, number: usize, exchange: &Exchange) -> Option<Line> {
    let client = format!(":{}", usize::from(FIRST_PORT) + number);
    let text = |line: &Line, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let path = exchange.request.path.as_deref().unwrap_or("/");
    let found = lines
        .iter()
        .position(|line| text(line, "downstream_remote_address").ends_with(&client))
        .or_else(|| lines.iter().position(|line| text(line, "path") == path));
    found.map(|index| lines.remove(index))
}

/// Whether the exchange needs nothing but a request and an answer over IPv4, and does not come in at a sidecar, whose
/// port for that is not bound here.
fn can_be_sent(asker: &Asker, exchange: &Exchange) -> bool {
    let request = &exchange.request;
    let plain = matches!(request.tls.as_deref(), None | Some("plaintext"));
    let http1 = matches!(request.protocol.as_deref(), None | Some("http" | "tcp"));
    let ipv4 = !exchange.destination.starts_with('[') && !asker.ip.contains(':');
    let inbound =
        asker.kind != "gateway" && exchange.destination.starts_with(&format!("{}:", asker.ip));
    plain && http1 && ipv4 && !inbound && !request.headers.contains_key("upgrade")
}

/// How the one outcome that came up differs from all that were recorded; not where rare ones may not have been.
fn differences(exchange: &Exchange, ours: &Value) -> Vec<String> {
    let recorded = [exchange.outcomes(), exchange.outcomes_without_rejected()].concat();
    let recorded: Vec<Value> = recorded.iter().map(conversation::seen_from_outside).collect();
    let ours = conversation::seen_from_outside(ours);
    let rare = exchange.recorded.get("may_lack_rare").is_some();
    if rare || recorded.iter().any(|recorded| outcome::fits(recorded, &ours)) {
        return Vec::new();
    }
    let request = serde_json::to_string(&exchange.request).unwrap_or_default();
    let mut told = vec![format!("{request} to {}", exchange.destination)];
    told.extend(recorded.iter().map(|recorded| format!("Envoy: {recorded}")));
    told.push(format!("ours:  {ours}"));
    told
}

/// A proxy that is given the tables of one case after the other.
struct Running {
    handle: ProxyHandle,
    tables: Arc<ArcSwap<Tables>>,
    live: Arc<LiveState>,
    lines: Lines,
}

impl Running {
    fn start() -> Self {
        let lines = Lines::default();
        let log = AccessLogSettings {
            target: Some(LogTarget::Memory(lines.clone())),
            format: LogFormat::Json,
        };
        let config = ProxyConfig {
            // One after the other, so that the log has the order of the requests.
            workers: 1,
            outbound_address: Some((Ipv4Addr::LOCALHOST, 0).into()),
            bind: Arc::new(|_| (Ipv4Addr::LOCALHOST, 0).into()),
            access_log: log,
            ..ProxyConfig::new()
        };
        let (tables, live) = (Arc::new(ArcSwap::from(Tables::empty())), Arc::new(LiveState::new()));
        let handle = Proxy::start(config, Arc::clone(&tables), Arc::clone(&live)).unwrap();
        Self { handle, tables, live, lines }
    }

    fn obey(&self, set: &ResourceSet) {
        let (tables, _) = Tables::apply(&Tables::empty(), set, &self.live);
        self.tables.store(tables);
        // What cannot be bound is not asked.
        drop(self.handle.sync_listeners());
    }

    fn send(&self, asker: &Asker, exchange: &Exchange, port: u16, upstream: &Upstream) -> Heard {
        let destination: SocketAddr = exchange.destination.parse().unwrap();
        let is_gateway = asker.kind == "gateway";
        let client = if is_gateway { conversation::OUTSIDE.to_owned() } else { asker.ip.clone() };
        let conversation = Conversation { client, port, destination, exchange };
        upstream.answer_with(&conversation.upstream_headers());
        let redirected = asker.interception_mode.as_deref() != Some("NONE");
        if is_gateway || !redirected || destination.ip().is_loopback() {
            let bound = self.bound_for(destination);
            return bound.map_or(Heard::Refused, |address| conversation.at(address));
        }
        conversation.through(self.handle.outbound_address().unwrap())
    }

    /// Where the listener for `destination` is bound.
    fn bound_for(&self, destination: SocketAddr) -> Option<SocketAddr> {
        let tables = self.tables.load();
        let name = &tables.listener_for_destination(destination)?.name;
        let bound = self.handle.listeners();
        bound.iter().find(|listener| listener.name == *name).map(|listener| listener.bound)
    }

    /// The next `count` lines of the log.
    fn log(&self, area: &str, count: usize) -> Vec<Line> {
        let end = Instant::now() + Duration::from_secs(20);
        let mut text = String::new();
        while text.lines().count() < count && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(10));
            text.push_str(&self.lines.take());
        }
        let lines: Vec<_> =
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert_eq!(lines.len(), count, "one line for each request of {area}:\n{text}");
        lines
    }
}
