//! The same clusters and the same requests to a real Envoy and to our proxy: who gets a request, who is ejected, and
//! what is refused must agree.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it goes wrong"
)]

#[path = "envoy_balancing/slow_start.rs"]
mod slow_start;
#[path = "envoy_balancing/stage.rs"]
mod stage;
#[path = "envoy_balancing/zones.rs"]
mod zones;

use std::collections::BTreeMap;
use std::thread;

use pilotage_testkit::peers;
use serde_json::{Value, json};
use stage::{At, Side, Stage, Upstream, cluster, until};

const GOOD: &str = "HEALTHY";
const BAD: &str = "UNHEALTHY";

/// Priority, weight and endpoints of each locality.
type Localities<'a> = Vec<(u32, u32, &'a [At<'a>])>;

/// Five endpoints of which two are heavier.
const FIVE: &[At<'_>] = &[(1, 1, GOOD), (2, 1, GOOD), (3, 4, GOOD), (4, 2, GOOD), (5, 1, GOOD)];
const EVEN: &[At<'_>] = &[(1, 1, GOOD), (2, 1, GOOD), (3, 1, GOOD), (4, 1, GOOD), (5, 1, GOOD)];

#[test]
fn keys_are_placed_where_envoy_places_them() {
    let Some(program) = peers::require("envoy") else { return };
    let port = Upstream::start().port;
    let ring =
        |size: u32| json!({"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": size}});
    let table = |size: u32| json!({"lbPolicy": "MAGLEV", "maglevLbConfig": {"tableSize": size}});
    let weighted = |mut options: Value| {
        options["commonLbConfig"] = json!({"localityWeightedLbConfig": {}});
        options
    };
    let two_zones: &[(u32, u32, &[At<'_>])] =
        &[(0, 3, &FIVE[..2]), (0, 5, &FIVE[2..]), (0, 2, &[])];
    let some_ill: &[At<'_>] =
        &[(1, 1, GOOD), (2, 1, BAD), (3, 4, GOOD), (4, 2, GOOD), (5, 1, GOOD)];
    let clusters = [
        cluster(("even-ring", 1, port), &ring(1024), &[(0, 1, EVEN)]),
        cluster(("ring", 2, port), &ring(1024), &[(0, 1, FIVE)]),
        cluster(("small-ring", 3, port), &ring(7), &[(0, 1, FIVE)]),
        cluster(("zone-ring", 4, port), &weighted(ring(4096)), two_zones),
        cluster(("ill-ring", 5, port), &ring(1024), &[(0, 1, some_ill)]),
        cluster(
            ("spill-ring", 6, port),
            &ring(1024),
            &[(0, 1, &[(1, 1, GOOD), (2, 1, BAD)]), (1, 1, &[(3, 1, GOOD), (4, 1, GOOD)])],
        ),
        cluster(("even-table", 7, port), &table(65537), &[(0, 1, EVEN)]),
        cluster(("table", 8, port), &table(65537), &[(0, 1, FIVE)]),
        cluster(("small-table", 9, port), &table(11), &[(0, 1, FIVE)]),
        cluster(("zone-table", 10, port), &weighted(table(1021)), two_zones),
        cluster(("cookie", 11, port), &ring(1024), &[(0, 1, FIVE)]),
        cluster(("query", 12, port), &table(65537), &[(0, 1, FIVE)]),
        cluster(("source", 13, port), &ring(1024), &[(0, 1, FIVE)]),
        cluster(("several", 14, port), &ring(1024), &[(0, 1, FIVE)]),
    ];
    let header = json!({"header": {"headerName": "x-key"}});
    let query = json!({"queryParameter": {"name": "key"}});
    let mut routes: BTreeMap<&str, Value> = clusters
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), json!({"hashPolicy": [header]})))
        .collect();
    routes.insert("cookie", json!({"hashPolicy": [{"cookie": {"name": "key"}}]}));
    routes.insert("query", json!({"hashPolicy": [query]}));
    routes.insert("source", json!({"hashPolicy": [{"connectionProperties": {"sourceIp": true}}]}));
    routes.insert("several", json!({"hashPolicy": [header, query]}));
    let stage = Stage::new(&program, &clusters, &routes);
    let [mut theirs, mut ours] = stage.sides().map(Side::client);
    let mut compared = 0;
    for cluster in &clusters {
        let name = cluster["name"].as_str().unwrap();
        for number in 0..400 {
            let key = format!("user-{number}");
            let path = format!("/{name}?key={key}&n={number}");
            let cookie = format!("a=b; key={key}");
            let source = format!("10.{}.{}.7", number % 3, number);
            let headers = [("x-key", &*key), ("cookie", &*cookie), ("x-forwarded-for", &*source)];
            let (a, b) = (theirs.reached(&path, &headers), ours.reached(&path, &headers));
            assert_eq!(a, b, "{name} {key}: envoy and we");
            compared += 1;
        }
    }
    assert!(compared >= 5000, "only {compared} keys");
}

#[test]
fn shares_are_those_of_envoy() {
    let Some(program) = peers::require("envoy") else { return };
    let port = Upstream::start().port;
    let calm = |policy: &str, threshold: u32| json!({"lbPolicy": policy, "commonLbConfig": {"healthyPanicThreshold": {"value": threshold}}});
    let zones = json!({"lbPolicy": "ROUND_ROBIN", "commonLbConfig": {"localityWeightedLbConfig": {},
        "healthyPanicThreshold": {}}});
    let half: &[At<'_>] = &[(1, 1, GOOD), (2, 1, BAD)];
    let third: &[At<'_>] = &[(1, 1, GOOD), (2, 1, GOOD), (3, 1, BAD)];
    let weak: &[At<'_>] = &[(1, 1, GOOD), (2, 1, BAD), (3, 1, BAD), (4, 1, BAD)];
    let dead: &[At<'_>] = &[(5, 1, BAD), (6, 1, BAD)];
    let other: &[At<'_>] = &[(7, 1, GOOD), (8, 1, GOOD)];
    let cases: Vec<(&str, Value, Localities<'_>)> = vec![
        ("rr", calm("ROUND_ROBIN", 0), vec![(0, 1, FIVE)]),
        ("lr", calm("LEAST_REQUEST", 0), vec![(0, 1, FIVE)]),
        ("random", calm("RANDOM", 0), vec![(0, 1, FIVE)]),
        ("spill", calm("ROUND_ROBIN", 0), vec![(0, 1, half), (1, 1, other)]),
        ("spill-little", calm("ROUND_ROBIN", 50), vec![(0, 1, third), (1, 1, other)]),
        ("panic", calm("ROUND_ROBIN", 50), vec![(0, 1, weak)]),
        ("no-panic", calm("ROUND_ROBIN", 0), vec![(0, 1, weak)]),
        ("panic-two", calm("ROUND_ROBIN", 50), vec![(0, 1, weak), (1, 1, dead)]),
        ("panic-one", calm("ROUND_ROBIN", 40), vec![(0, 1, weak), (1, 1, half)]),
        ("all-dead", calm("ROUND_ROBIN", 50), vec![(0, 1, dead), (1, 1, &[(1, 1, BAD)])]),
        ("nobody", calm("ROUND_ROBIN", 0), vec![(0, 1, dead)]),
        (
            "degraded",
            calm("ROUND_ROBIN", 0),
            vec![(0, 1, &[(1, 1, GOOD), (2, 1, BAD), (3, 1, "DEGRADED")])],
        ),
        ("zones", zones.clone(), vec![(0, 3, &FIVE[..2]), (0, 1, weak), (0, 2, &[])]),
        ("no-zones", zones, vec![(0, 0, half), (0, 0, other)]),
    ];
    let clusters: Vec<Value> = cases
        .iter()
        .zip(20..)
        .map(|((name, options, localities), number)| {
            // Two localities must not share an address.
            let shifted: Vec<Vec<At<'_>>> = localities
                .iter()
                .zip(0_u8..)
                .map(|((_, _, list), shift)| {
                    list.iter().map(|(last, w, h)| (last + 20 * shift, *w, *h)).collect()
                })
                .collect();
            let localities: Vec<(u32, u32, &[At<'_>])> = localities
                .iter()
                .zip(&shifted)
                .map(|((priority, weight, _), list)| (*priority, *weight, list.as_slice()))
                .collect();
            cluster((name, number, port), options, &localities)
        })
        .collect();
    let stage = Stage::new(&program, &clusters, &BTreeMap::new());
    same_shares(&stage, cases.iter().map(|(name, ..)| *name));
    for (name, ..) in &cases {
        let [theirs, ours] = stage.sides().map(|side| side.stat(name, "membership_healthy"));
        assert_eq!(theirs, ours, "{name}");
    }
}

/// Both proxies send endpoints of these clusters the same part of their requests.
fn same_shares<'n>(stage: &Stage, names: impl IntoIterator<Item = &'n str>) {
    let [mut theirs, mut ours] = stage.sides().map(Side::client);
    const DRAWS: usize = 900;
    for name in names {
        let count = |client: &mut stage::Client| {
            let mut found: BTreeMap<String, usize> = BTreeMap::new();
            for _ in 0..DRAWS {
                *found.entry(client.reached(&format!("/{name}/"), &[])).or_default() += 1;
            }
            found
        };
        let (a, b) = (count(&mut theirs), count(&mut ours));
        let all: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for who in all {
            let (x, y) = (a.get(who).copied().unwrap_or(0), b.get(who).copied().unwrap_or(0));
            // The difference of two draws of one share; five deviations happen once in a million.
            let share = (x + y) as f64 / (2 * DRAWS) as f64;
            let deviation = (2.0 * DRAWS as f64 * share * (1.0 - share)).sqrt();
            let off = x.abs_diff(y) as f64;
            assert!(off <= 5.0 * deviation + 1.0, "{name} {who}: envoy {a:?}, ours {b:?}");
        }
    }
}

#[test]
fn the_same_failures_eject_the_same_endpoints() {
    let Some(program) = peers::require("envoy") else { return };
    let port = Upstream::start().port;
    let codes = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicitHttpConfig": {"httpProtocolOptions": {}},
        "outlierDetection": {"errorMatcher": {"orMatch": {"rules": [
            {"httpResponseHeadersMatch": {"headers": [{"name": ":status", "stringMatch": {"exact": "429"}}]}},
            {"httpResponseHeadersMatch": {"headers": [{"name": ":status", "stringMatch": {"exact": "500"}}]}}]}}}}});
    let detections = [
        ("plain", json!({"consecutive5xx": 3, "maxEjectionPercent": 100})),
        ("default-percent", json!({"consecutive5xx": 1})),
        ("half", json!({"consecutive5xx": 2, "maxEjectionPercent": 50})),
        ("one", json!({"consecutive5xx": 2, "maxEjectionPercent": 10, "alwaysEjectOneHost": true})),
        (
            "gateway",
            json!({"consecutive5xx": 6, "consecutiveGatewayFailure": 2,
            "enforcingConsecutiveGatewayFailure": 100, "maxEjectionPercent": 80}),
        ),
        (
            "split",
            json!({"splitExternalLocalOriginErrors": true, "consecutive5xx": 4, "consecutiveGatewayFailure": 3,
            "enforcingConsecutiveGatewayFailure": 100, "consecutiveLocalOriginFailure": 1,
            "enforcingLocalOriginSuccessRate": 0, "maxEjectionPercent": 80}),
        ),
        (
            "off",
            json!({"consecutive5xx": 0, "enforcingConsecutive5xx": 0, "maxEjectionPercent": 100}),
        ),
        ("codes", json!({"consecutive5xx": 2, "maxEjectionPercent": 100})),
    ];
    let clusters: Vec<Value> = detections
        .iter()
        .zip(40..)
        .map(|((name, detection), number)| {
            let mut detection = detection.clone();
            detection["enforcingSuccessRate"] = json!(0);
            // No sweep comes between the steps.
            detection["interval"] = json!("3600s");
            // Nor does Envoy keep what it knows from its workers for a second.
            let mut options = json!({"lbPolicy": "RING_HASH", "outlierDetection": detection,
                "commonLbConfig": {"healthyPanicThreshold": {}, "updateMergeWindow": "0s"}});
            if *name == "codes" {
                options["typedExtensionProtocolOptions"] = codes.clone();
            }
            cluster((name, number, port), &options, &[(0, 1, EVEN)])
        })
        .collect();
    let hashed = json!({"hashPolicy": [{"header": {"headerName": "x-key"}}]});
    let routes = detections.iter().map(|(name, _)| (*name, hashed.clone())).collect();
    let stage = Stage::new(&program, &clusters, &routes);
    let [mut theirs, mut ours] = stage.sides().map(Side::client);
    let mut rng = fastrand::Rng::with_seed(11);
    for (name, _) in &detections {
        let mut before = Vec::new();
        for step in 0..80 {
            let key = rng.u8(0..24).to_string();
            let answer = *rng
                .choice(["200", "500", "500", "503", "503", "502", "429", "reset"].iter())
                .unwrap();
            let headers = [("x-key", &*key), ("x-answer", answer)];
            let path = format!("/{name}/");
            let (a, b) = (theirs.get(&path, &headers), ours.get(&path, &headers));
            let place = format!("{name}, step {step}, {answer} for {key}");
            assert_eq!(a.status(), b.status(), "{place}");
            assert_eq!(a.header("x-reached"), b.header("x-reached"), "{place}");
            // Envoy's workers tell its main thread, which ejects.
            let mine = stage.ours.ejected(name);
            until(&format!("envoy ejects {mine:?} as we do: {place}"), || {
                stage.envoy.ejected(name) == mine
            });
            if mine != before {
                // By the time it answers this, its worker has heard of the ejection.
                assert_eq!(theirs.get("/idle", &[]).status(), 204);
            }
            before = mine;
        }
        for stat in [
            "ejections_active",
            "ejections_enforced_total",
            "ejections_overflow",
            "ejections_enforced_consecutive_5xx",
            "ejections_detected_consecutive_5xx",
            "ejections_enforced_consecutive_gateway_failure",
            "ejections_enforced_consecutive_local_origin_failure",
        ] {
            let stat = format!("outlier_detection.{stat}");
            let [a, b] = stage.sides().map(|side| side.stat(name, &stat));
            assert_eq!(a, b, "{name} {stat}");
        }
    }
}

#[test]
fn breakers_overflow_alike() {
    let Some(program) = peers::require("envoy") else { return };
    let upstream = Upstream::start();
    let one: &[At<'_>] = &[(1, 1, GOOD)];
    let limits = |limits: Value| json!({"circuitBreakers": {"thresholds": [limits]}});
    let clusters = [
        cluster(
            ("requests", 60, upstream.port),
            &limits(json!({"maxRequests": 2})),
            &[(0, 1, one)],
        ),
        cluster(
            ("pending", 61, upstream.port),
            &limits(json!({"maxConnections": 1, "maxPendingRequests": 1})),
            &[(0, 1, one)],
        ),
        cluster(
            ("none", 62, upstream.port),
            &limits(json!({"maxPendingRequests": 0})),
            &[(0, 1, one)],
        ),
    ];
    let stage = Stage::new(&program, &clusters, &BTreeMap::new());
    let refusal = |side: &Side, path: &str| {
        let answer = side.client().get(path, &[]);
        let body = String::from_utf8(answer.body.clone()).unwrap();
        (answer.status(), answer.header("x-envoy-overloaded").map(str::to_owned), body)
    };
    let mut seen = Vec::new();
    for side in stage.sides() {
        upstream.close_gate();
        let hold = |path: &'static str| {
            let mut client = side.client();
            thread::spawn(move || client.get(path, &[("x-answer", "hold")]).status())
        };
        let held = [hold("/requests"), hold("/requests")];
        upstream.wait_until_held(2);
        let mut found = vec![refusal(side, "/requests")];
        assert_eq!(side.stat("requests", "circuit_breakers.default.rq_open"), 1, "{}", side.name);
        let first = hold("/pending");
        upstream.wait_until_held(3);
        let second = hold("/pending");
        until("one is pending", || side.stat("pending", "upstream_rq_pending_active") == 1);
        found.push(refusal(side, "/pending"));
        for gauge in
            ["circuit_breakers.default.cx_open", "circuit_breakers.default.rq_pending_open"]
        {
            assert_eq!(side.stat("pending", gauge), 1, "{} {gauge}", side.name);
        }
        found.push(refusal(side, "/none"));
        upstream.open_gate();
        for thread in held.into_iter().chain([first, second]) {
            assert_eq!(thread.join().unwrap(), 200, "{}", side.name);
        }
        found.push(refusal(side, "/requests"));
        seen.push(found);
    }
    assert_eq!(seen[0], seen[1], "envoy and we");
    assert_eq!(seen[1][0].0, 503);
}
