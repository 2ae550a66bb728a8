//! The same resources and the same requests to a real Envoy and to our proxy: what they do must agree.
//!
//! The resources are compiled by us from Bookinfo-like services and from more than sixty configurations of the vectors.
//! Both proxies get them as one static configuration: a plain HTTP listener for each route configuration, the echo as
//! every upstream. `PILOTAGE_SHOW=1` prints every difference, also the known ones.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test reports on the terminal and may stop where it goes wrong"
)]

#[path = "envoy/hostile.rs"]
mod hostile;
#[path = "envoy/judge.rs"]
mod judge;
#[path = "envoy/ours.rs"]
mod ours;

use std::net::SocketAddr;

use pilotage_testkit::differential::Bed;
use pilotage_testkit::echo::Echo;
use pilotage_testkit::envoy::Envoy;
use pilotage_testkit::ours::Ours;
use pilotage_testkit::vectors::{self, AREAS, Asker, Case, Request};
use pilotage_testkit::{peers, resources, wire};

/// Configurations of the vectors to take from each area.
const CASES_PER_AREA: usize = 14;

/// One request, as bytes, to the listener of that name.
struct Probe {
    listener: String,
    name: String,
    bytes: Vec<u8>,
}

#[test]
fn envoy_and_we_do_the_same() {
    let Some(program) = peers::require("envoy") else { return };
    let echo = Echo::start().unwrap();
    let mut bed = Bed::default();
    let mut probes = Vec::new();
    let mut configurations = 0;
    for case in cases() {
        let ours = Ours::of_case(&case);
        for asker in &case.proxies {
            let place = format!("{}/{}", case.name, asker.name);
            let dump = resources::to_dump(&ours.resources(asker));
            let listeners = bed.add(&place, &dump, echo.port);
            probes.extend(recorded(&case, asker, &listeners));
        }
        configurations += 1;
    }
    probes.extend(bookinfo(&mut bed, echo.port));
    println!(
        "{configurations} configurations, {} listeners, {} clusters, {} requests",
        bed.listeners.len(),
        bed.clusters.len(),
        probes.len()
    );
    assert!(configurations >= 60, "only {configurations} configurations");

    let envoy = Envoy::start(&program, &bed.bootstrap()).unwrap();
    let theirs = envoy.listeners().unwrap();
    let (_handle, mine) = ours::start(&bed, 1);
    let mut report = judge::Report::default();
    for probe in &probes {
        let (Some(a), Some(b)) = (theirs.get(&probe.listener), mine.get(&probe.listener)) else {
            panic!("{} is not bound", probe.listener);
        };
        let answer =
            |address: &SocketAddr| judge::Seen::of(wire::ask(*address, &probe.bytes), &bed);
        report.add(&probe.listener, &probe.name, &answer(a), &answer(b));
    }
    report.conclude();
}

/// The configurations: from each area the first whose routes Envoy takes as they are.
fn cases() -> Vec<Case> {
    let takes = |case: &Case| {
        !case.exchanges.is_empty()
            && case.exchanges.iter().all(|e| e.recorded.get("envoy_rejected").is_none())
    };
    let areas = AREAS.iter().map(|(area, _)| vectors::area(area));
    areas.flat_map(|cases| cases.into_iter().filter(takes).take(CASES_PER_AREA)).collect()
}

/// The requests of the case, to every listener of the asker: one that they are not meant for must refuse them alike.
fn recorded(case: &Case, asker: &Asker, listeners: &[String]) -> Vec<Probe> {
    let requests = case.exchanges.iter().map(|e| &e.request);
    let http: Vec<&Request> = requests
        .filter(|r| r.proxy == asker.name && r.host.is_some())
        .filter(|r| r.protocol.is_none() && r.tls.is_none())
        .collect();
    let to = |listener: &String, request: &&Request| Probe {
        listener: listener.clone(),
        name: serde_json::to_string(request).unwrap(),
        bytes: bytes(request),
    };
    listeners.iter().flat_map(|l| http.iter().map(move |r| to(l, r))).collect()
}

fn bytes(request: &Request) -> Vec<u8> {
    let method = request.method.as_deref().unwrap_or("GET");
    let path = request.path.as_deref().unwrap_or("/");
    let host = request.host.as_deref().unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        text.push_str("content-length: 0\r\n");
    }
    (text + "\r\n").into_bytes()
}

/// Services like those of Bookinfo under rules of many kinds, and requests that mean no good.
fn bookinfo(bed: &mut Bed, echo_port: u16) -> Vec<Probe> {
    let services =
        std::fs::read_to_string(pilotage_testkit::root().join("docs/spec/services.yaml")).unwrap();
    let files =
        [("services.yaml".to_owned(), services.as_str()), ("rules.yaml".into(), hostile::RULES)];
    let ours = Ours::of(&files, pilotage_config::mesh::MeshConfig::default());
    assert_eq!(ours.refusals().count(), 0, "{:?}", ours.diagnostics);
    let asker = Asker {
        name: "client".into(),
        kind: "sidecar".into(),
        namespace: "default".into(),
        ip: "10.1.9.9".into(),
        ..Asker::default()
    };
    let dump = resources::to_dump(&ours.resources(&asker));
    let listeners = bed.add("bookinfo/client", &dump, echo_port);
    let to = |listener: &String, (name, bytes): &(String, Vec<u8>)| Probe {
        listener: listener.clone(),
        name: name.clone(),
        bytes: bytes.clone(),
    };
    let requests = hostile::requests();
    listeners.iter().flat_map(|l| requests.iter().map(move |r| to(l, r))).collect()
}
