//! Shares of endpoints under each policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::PickContext;
use crate::cluster::ClusterTable;
use crate::endpoint::EndpointAddress;
use crate::env::Env;
use crate::live_state::LiveState;
use crate::tables::Tables;

/// A locality as (priority, weight, endpoints), each endpoint as (last octet, weight, health).
type Locality<'a> = (u32, u32, &'a [(u8, u32, &'a str)]);

/// A cluster with these options and localities.
fn cluster(options: &Value, localities: &[Locality<'_>]) -> Arc<ClusterTable> {
    cluster_in(&LiveState::new(), options, localities)
}

/// The same with live state of its own.
fn cluster_in(live: &LiveState, options: &Value, localities: &[Locality<'_>]) -> Arc<ClusterTable> {
    let localities: Vec<_> = localities
        .iter()
        .map(|(priority, weight, endpoints)| {
            let endpoints: Vec<_> = endpoints
                .iter()
                .map(|(last, weight, health)| {
                    let socket = json!({"address": format!("10.0.0.{last}"), "portValue": 80});
                    json!({"endpoint": {"address": {"socketAddress": socket}},
                           "loadBalancingWeight": weight, "healthStatus": health})
                })
                .collect();
            json!({"priority": priority, "loadBalancingWeight": weight, "lbEndpoints": endpoints})
        })
        .collect();
    let mut proto =
        json!({"name": "c", "loadAssignment": {"clusterName": "c", "endpoints": localities}});
    for (key, value) in options.as_object().unwrap() {
        proto[key] = value.clone();
    }
    let mut set = ResourceSet::default();
    set.clusters.insert("c".into(), Arc::new(from_value(&proto).unwrap()));
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, live);
    assert_eq!(rejections, []);
    Arc::clone(tables.cluster("c").unwrap())
}

/// How often each endpoint, by its last octet, is chosen in `count` picks. 0 stands for none.
fn picks(cluster: &ClusterTable, context: &PickContext<'_>, count: usize) -> BTreeMap<u8, usize> {
    picks_at(Duration::ZERO, cluster, context, count)
}

/// The same at a certain time.
fn picks_at(
    now: Duration,
    cluster: &ClusterTable,
    context: &PickContext<'_>,
    count: usize,
) -> BTreeMap<u8, usize> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut chance = || rng.u64(..);
    let mut env = Env { now, unix_time: Duration::ZERO, rng: &mut chance };
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let last = match cluster.pick(context, &mut env) {
            Ok(endpoint) => match endpoint.address {
                EndpointAddress::Socket(std::net::SocketAddr::V4(address)) => {
                    address.ip().octets()[3]
                }
                _ => 255,
            },
            Err(_) => 0,
        };
        *found.entry(last).or_insert(0) += 1;
    }
    found
}

fn about(found: &BTreeMap<u8, usize>, expected: &[(u8, usize)], tolerance: usize) {
    for (last, count) in expected {
        let have = found.get(last).copied().unwrap_or(0);
        assert!(have.abs_diff(*count) <= tolerance, "{found:?}, expected {expected:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}");
}

const GOOD: &str = "HEALTHY";
const BAD: &str = "UNHEALTHY";

#[test]
fn round_robin_follows_weights_exactly() {
    let even = cluster(&json!({}), &[(0, 1, &[(1, 1, GOOD), (2, 1, GOOD)])]);
    about(&picks(&even, &PickContext::default(), 100), &[(1, 50), (2, 50)], 0);
    let weighted = cluster(&json!({}), &[(0, 1, &[(1, 30, GOOD), (2, 10, GOOD)])]);
    about(&picks(&weighted, &PickContext::default(), 100), &[(1, 75), (2, 25)], 0);
}

#[test]
fn random_knows_no_weights() {
    let weighted =
        cluster(&json!({"lbPolicy": "RANDOM"}), &[(0, 1, &[(1, 3, GOOD), (2, 1, GOOD)])]);
    about(&picks(&weighted, &PickContext::default(), 4000), &[(1, 2000), (2, 2000)], 150);
}

#[test]
fn weighted_least_request_takes_turns_by_weight_and_load() {
    let three: &[Locality<'_>] = &[(0, 1, &[(1, 3, GOOD), (2, 1, GOOD), (3, 1, GOOD)])];
    let idle = cluster(&json!({"lbPolicy": "LEAST_REQUEST"}), three);
    about(&picks(&idle, &PickContext::default(), 500), &[(1, 300), (2, 100), (3, 100)], 1);
    // With two requests in flight the first counts as one third of itself.
    let busy = cluster(&json!({"lbPolicy": "LEAST_REQUEST"}), three);
    let load = |cluster: &ClusterTable| {
        let first = Arc::clone(cluster.endpoints().iter().next().unwrap());
        first.state.active_requests.increase();
        first.state.active_requests.increase();
    };
    load(&busy);
    about(&picks(&busy, &PickContext::default(), 300), &[(1, 100), (2, 100), (3, 100)], 1);
    let bias = json!({"lbPolicy": "LEAST_REQUEST", "leastRequestLbConfig": {
        "activeRequestBias": {"defaultValue": 0.0, "runtimeKey": "b"}}});
    let indifferent = cluster(&bias, three);
    load(&indifferent);
    about(&picks(&indifferent, &PickContext::default(), 500), &[(1, 300), (2, 100), (3, 100)], 1);
}

#[test]
fn least_request_avoids_the_busy() {
    let busy =
        cluster(&json!({"lbPolicy": "LEAST_REQUEST"}), &[(0, 1, &[(1, 1, GOOD), (2, 1, GOOD)])]);
    for endpoint in busy.endpoints().iter().take(1) {
        endpoint.state.active_requests.increase();
    }
    // The busy one is chosen only when both draws fall on it.
    about(&picks(&busy, &PickContext::default(), 4000), &[(1, 1000), (2, 3000)], 150);
}

#[test]
fn unhealthy_endpoints_wait_for_a_panic() {
    let half: &[Locality<'_>] = &[(0, 1, &[(1, 1, GOOD), (2, 1, BAD), (3, 1, BAD)])];
    let calm = json!({"commonLbConfig": {"healthyPanicThreshold": {}}});
    about(&picks(&cluster(&calm, half), &PickContext::default(), 90), &[(1, 90)], 0);
    // By default fewer than half of them being healthy is a panic.
    about(
        &picks(&cluster(&json!({}), half), &PickContext::default(), 90),
        &[(1, 30), (2, 30), (3, 30)],
        0,
    );
    let none = cluster(&calm, &[(0, 1, &[(1, 1, BAD)])]);
    about(&picks(&none, &PickContext::default(), 9), &[(0, 9)], 0);
    about(&picks(&cluster(&calm, &[]), &PickContext::default(), 9), &[(0, 9)], 0);
}

#[test]
fn a_weak_priority_spills_into_the_next() {
    let calm = json!({"commonLbConfig": {"healthyPanicThreshold": {}}});
    let two = cluster(&calm, &[(0, 1, &[(1, 1, GOOD), (2, 1, BAD)]), (1, 1, &[(3, 1, GOOD)])]);
    // Half of the first priority is healthy: it takes 70 %.
    about(&picks(&two, &PickContext::default(), 4000), &[(1, 2800), (3, 1200)], 150);
}

#[test]
fn localities_share_by_weight() {
    let options = json!({"commonLbConfig": {"localityWeightedLbConfig": {}}});
    let localities: &[Locality<'_>] =
        &[(0, 80, &[(1, 1, GOOD), (2, 1, GOOD)]), (0, 20, &[(3, 1, GOOD)]), (0, 5, &[])];
    about(
        &picks(&cluster(&options, localities), &PickContext::default(), 100),
        &[(1, 40), (2, 40), (3, 20)],
        0,
    );
}

#[test]
fn tried_endpoints_are_avoided_while_there_are_others() {
    let two = cluster(&json!({}), &[(0, 1, &[(1, 1, GOOD), (2, 1, GOOD)])]);
    let tried = [EndpointAddress::Socket(([10, 0, 0, 1], 80).into())];
    let context = PickContext { avoid: &tried, max_redraws: 5, ..PickContext::default() };
    about(&picks(&two, &context, 50), &[(2, 50)], 0);
    let one = cluster(&json!({}), &[(0, 1, &[(1, 1, GOOD)])]);
    about(&picks(&one, &context, 50), &[(1, 50)], 0);
}

#[test]
fn original_destinations_are_used_as_they_are() {
    let context = PickContext {
        original_destination: Some(([10, 0, 0, 9], 81).into()),
        ..PickContext::default()
    };
    let direct = cluster(
        &json!({"type": "ORIGINAL_DST", "lbPolicy": "CLUSTER_PROVIDED",
        "originalDstLbConfig": {"upstreamPortOverride": 443}}),
        &[],
    );
    let mut chance = || 0;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
    assert_eq!(direct.pick(&context, &mut env).unwrap().address.to_string(), "10.0.0.9:443");
    assert!(direct.pick(&PickContext::default(), &mut env).is_err());
}

#[test]
fn equal_hashes_stay_together_and_shares_follow_weights() {
    for options in [
        json!({"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": "4096"}}),
        json!({"lbPolicy": "MAGLEV", "maglevLbConfig": {"tableSize": "1021"}}),
    ] {
        let all: &[(u8, u32, &str)] = &[(1, 1, GOOD), (2, 1, GOOD), (3, 2, GOOD)];
        let three = cluster(&options, &[(0, 1, all)]);
        let with = |hash| PickContext { hash: Some(hash), ..PickContext::default() };
        let mut counts = BTreeMap::new();
        let mut moved = 0;
        let two = cluster(&options, &[(0, 1, &all[..2])]);
        for number in 0..2000_u64 {
            let hash = xxhash_rust::xxh64::xxh64(&number.to_le_bytes(), 0);
            let chosen = picks(&three, &with(hash), 3);
            assert_eq!(chosen.len(), 1, "one hash, one endpoint");
            let first = *chosen.keys().next().unwrap();
            *counts.entry(first).or_insert(0) += 1;
            if first != 3 && !picks(&two, &with(hash), 1).contains_key(&first) {
                moved += 1;
            }
        }
        about(&counts, &[(1, 500), (2, 500), (3, 1000)], 120);
        // Of the hashes that did not belong to the endpoint that went, few move.
        assert!(moved < 250, "{moved} of 1000 moved");
        // Without a hash, chance decides; a tried endpoint gives way.
        assert_eq!(picks(&three, &PickContext::default(), 200).len(), 3);
        let tried = [1, 2].map(|last| EndpointAddress::Socket(([10, 0, 0, last], 80).into()));
        let context =
            PickContext { hash: Some(1), avoid: &tried, max_redraws: 64, ..PickContext::default() };
        about(&picks(&three, &context, 5), &[(3, 5)], 0);
    }
}

/// With two endpoints in service since long and a third that is new: its part of 10,000 requests.
fn warmth(policy: &str, warmup: &Value, seconds: f64) -> usize {
    let config =
        if policy == "ROUND_ROBIN" { "roundRobinLbConfig" } else { "leastRequestLbConfig" };
    let mut options = json!({"lbPolicy": policy});
    options[config] = json!({"slowStartConfig": warmup});
    let live = LiveState::new();
    let old: &[(u8, u32, &str)] = &[(1, 1, GOOD), (2, 1, GOOD)];
    let before = cluster_in(&live, &options, &[(0, 1, old)]);
    before.greet_arrivals(Duration::from_secs(1));
    let all = [old, &[(3, 1, GOOD)]].concat();
    let after = cluster_in(&live, &options, &[(0, 1, &all)]);
    let arrival = Duration::from_secs(1000);
    after.greet_arrivals(arrival);
    let now = arrival + Duration::from_secs_f64(seconds);
    picks_at(now, &after, &PickContext::default(), 10_000).get(&3).copied().unwrap_or(0)
}

#[test]
fn a_new_endpoint_grows_to_its_share() {
    for policy in ["ROUND_ROBIN", "LEAST_REQUEST"] {
        let linear = json!({"slowStartWindow": "100s"});
        let faster = json!({"slowStartWindow": "100s", "minWeightPercent": {"value": 1.0},
            "aggression": {"defaultValue": 2.0, "runtimeKey": "a"}});
        let slower = json!({"slowStartWindow": "100s", "minWeightPercent": {"value": 1.0},
            "aggression": {"defaultValue": 0.5, "runtimeKey": "a"}});
        // A weight of f beside two of 1 gets f / (2 + f).
        for (warmup, seconds, factor) in [
            (&linear, 0.0, 0.1),
            (&linear, 9.0, 0.1),
            (&linear, 50.0, 0.5),
            (&linear, 99.0, 0.99),
            (&linear, 101.0, 1.0),
            (&faster, 25.0, 0.5),
            (&faster, 0.0, 0.01),
            (&slower, 50.0, 0.25),
        ] {
            let expected = 10_000.0 * factor / (2.0 + factor);
            let found = warmth(policy, warmup, seconds) as f64;
            // Turns are exact to one; power of two choices after the window is chance (four deviations).
            let tolerance = if seconds > 100.0 { 190.0 } else { 2.0 };
            let off = (found - expected).abs();
            assert!(off <= tolerance, "{policy} after {seconds} s: {found}, not {expected}");
        }
    }
}

#[test]
fn without_a_window_there_is_no_slow_start() {
    assert_eq!(warmth("ROUND_ROBIN", &json!({}), 0.0), 3333);
}

#[test]
fn shares_say_what_picking_does() {
    let options =
        json!({"commonLbConfig": {"healthyPanicThreshold": {}, "localityWeightedLbConfig": {}}});
    let localities: &[Locality<'_>] = &[
        (0, 3, &[(1, 1, GOOD), (2, 3, GOOD)]),
        (0, 1, &[(3, 1, GOOD), (4, 1, BAD), (5, 1, BAD), (6, 1, BAD)]),
        (1, 1, &[(7, 1, GOOD)]),
    ];
    let cluster = cluster(&options, localities);
    let shares = cluster.endpoints().shares();
    let found = picks(&cluster, &PickContext::default(), 40_000);
    for (index, share) in shares.iter().enumerate() {
        let counted = found.get(&(index as u8 + 1)).copied().unwrap_or(0) as f64 / 400.0;
        assert!(
            (share - counted).abs() < 1.0,
            "endpoint {index}: {share} % stated, {counted} % found"
        );
    }
    assert!((shares.iter().sum::<f64>() - 100.0).abs() < 1e-9);
}
