//! Requests that prefer the zone they come from: both proxies know the same proxies like themselves, and share the same
//! requests over the zones of a cluster in the same way.

use pilotage_testkit::peers;
use serde_json::{Value, json};

use super::stage::{At, Stage, Upstream, cluster};
use super::{BAD, GOOD, Localities, same_shares};

const A: At<'_> = (1, 1, GOOD);
const B: At<'_> = (2, 1, GOOD);
const C: At<'_> = (3, 1, GOOD);
const D: At<'_> = (4, 1, GOOD);
const E: At<'_> = (5, 1, GOOD);
const F: At<'_> = (6, 3, GOOD);
const ILL: At<'_> = (7, 1, BAD);
const HALF: At<'_> = (8, 1, "DEGRADED");

/// Two of the four proxies are in the zone of the two that are asked.
const PROXIES: &[(u32, u32, &[At<'_>])] = &[(0, 1, &[A, B]), (0, 1, &[C]), (0, 1, &[D, ILL])];

#[test]
fn zones_are_preferred_as_by_envoy() {
    shares(PROXIES, &cases());
}

#[test]
fn without_proxies_in_several_zones_all_zones_are_alike() {
    let elsewhere: &[(u32, u32, &[At<'_>])] = &[(0, 1, &[]), (0, 1, &[C]), (0, 1, &[D])];
    let one: &[(u32, u32, &[At<'_>])] = &[(0, 1, &[A, B])];
    for proxies in [one, elsewhere] {
        shares(proxies, &cases()[..3]);
    }
}

type Case = (&'static str, Value, Localities<'static>);

fn cases() -> Vec<Case> {
    let even = |zones: Value| {
        json!({"lbPolicy": "ROUND_ROBIN", "commonLbConfig":
            {"healthyPanicThreshold": {}, "zoneAwareLbConfig": zones}})
    };
    let of = |policy: &str| {
        json!({"lbPolicy": policy, "commonLbConfig":
            {"healthyPanicThreshold": {}, "zoneAwareLbConfig": {"minClusterSize": 3}}})
    };
    let small = || even(json!({"minClusterSize": 1}));
    let short: Localities<'_> = vec![(0, 1, &[A]), (0, 1, &[B, C, D]), (0, 1, &[E, F])];
    let weighted =
        json!({"lbPolicy": "ROUND_ROBIN", "commonLbConfig": {"localityWeightedLbConfig": {}}});
    vec![
        ("fair", small(), vec![(0, 1, &[A, B]), (0, 1, &[C]), (0, 1, &[D])]),
        ("short", small(), short.clone()),
        ("not-said", json!({"lbPolicy": "ROUND_ROBIN"}), short.clone()),
        ("too-small", even(json!({"minClusterSize": 7})), short.clone()),
        ("default-too-small", even(json!({})), vec![(0, 1, &[A, B]), (0, 1, &[C, D])]),
        (
            "at-times",
            even(json!({"minClusterSize": 1, "routingEnabled": {"value": 40}})),
            vec![(0, 1, &[A, B]), (0, 1, &[C, D])],
        ),
        (
            "never",
            even(json!({"minClusterSize": 1, "routingEnabled": {"value": 0}})),
            vec![(0, 1, &[A, B]), (0, 1, &[C, D])],
        ),
        ("one-zone", small(), vec![(0, 1, &[A, B, C])]),
        ("elsewhere", small(), vec![(0, 1, &[]), (0, 1, &[A, B]), (0, 1, &[C, D, E])]),
        ("ill-here", small(), vec![(0, 1, &[A, ILL]), (0, 1, &[B, C]), (0, 1, &[D])]),
        ("all-ill-here", small(), vec![(0, 1, &[ILL]), (0, 1, &[B, C]), (0, 1, &[D])]),
        (
            "degraded",
            small(),
            vec![(0, 1, &[A, HALF, ILL]), (0, 1, &[B, (9, 1, "DEGRADED"), (10, 1, BAD)])],
        ),
        (
            "next-priority",
            small(),
            vec![(0, 1, &[A, ILL]), (0, 1, &[B, (9, 1, BAD)]), (1, 1, &[C, D])],
        ),
        ("least-request", of("LEAST_REQUEST"), short.clone()),
        ("random", of("RANDOM"), short.clone()),
        ("ring", of("RING_HASH"), short.clone()),
        ("weighted", weighted, vec![(0, 1, &[A, B, C]), (0, 2, &[D, E]), (0, 1, &[F])]),
    ]
}

/// The first locality is that of the proxies.
fn shares(proxies: &[(u32, u32, &[At<'_>])], cases: &[Case]) {
    let Some(program) = peers::require("envoy") else { return };
    let port = Upstream::start().port;
    let mut clusters = vec![cluster(("local", 200, port), &json!({}), proxies)];
    for ((name, options, localities), number) in cases.iter().zip(100..) {
        clusters.push(cluster((name, number, port), options, localities));
    }
    let stage = Stage::in_zone(&program, ("z0", "local"), &clusters);
    same_shares(&stage, cases.iter().map(|(name, ..)| *name));
}
