//! Detectors, the arithmetic of ejecting, and the ledger, with a clock of the test's own.

use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::{Detector, HostResult, RefusalReason};
use crate::cluster::ClusterTable;
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::live_state::LiveState;
use crate::load_balancing::PickContext;
use crate::rejection::Rejection;
use crate::tables::Tables;

/// A cluster with a clock and chance that the test moves.
struct Stage {
    cluster: Arc<ClusterTable>,
    live: LiveState,
    now: Duration,
    draw: u64,
}

fn apply(
    options: &Value,
    endpoints: u8,
    before: &Tables,
    live: &LiveState,
) -> (Arc<Tables>, Vec<Rejection>) {
    let endpoints: Vec<_> = (1..=endpoints)
        .map(|last| {
            let socket = json!({"address": format!("10.0.0.{last}"), "portValue": 80});
            json!({"endpoint": {"address": {"socketAddress": socket}}})
        })
        .collect();
    let mut proto = json!({"name": "c", "loadAssignment": {"clusterName": "c",
        "endpoints": [{"lbEndpoints": endpoints}]},
        "commonLbConfig": {"healthyPanicThreshold": {}}});
    for (key, value) in options.as_object().unwrap() {
        proto[key] = value.clone();
    }
    let mut set = ResourceSet::default();
    set.clusters.insert("c".into(), Arc::new(from_value(&proto).unwrap()));
    Tables::apply(before, &set, live)
}

impl Stage {
    fn new(detection: &Value, endpoints: u8) -> Self {
        let live = LiveState::new();
        let options = json!({"outlierDetection": detection});
        let (tables, rejections) = apply(&options, endpoints, &Tables::empty(), &live);
        assert_eq!(rejections, []);
        let cluster = Arc::clone(tables.cluster("c").unwrap());
        let mut stage = Self { cluster, live, now: Duration::from_secs(100), draw: 0 };
        stage.sweep();
        stage
    }

    fn endpoint(&self, number: usize) -> Arc<Endpoint> {
        Arc::clone(self.cluster.endpoints().iter().nth(number - 1).unwrap())
    }

    fn with_env<R>(&self, act: impl FnOnce(&mut Env<'_>) -> R) -> R {
        let mut chance = || self.draw;
        act(&mut Env { now: self.now, unix_time: Duration::ZERO, rng: &mut chance })
    }

    /// Tells how an attempt at endpoint `number` went.
    fn tell(&self, number: usize, result: HostResult) {
        let endpoint = self.endpoint(number);
        let suspects = self.cluster.note(&endpoint.state, result);
        if !suspects.is_empty() {
            self.with_env(|env| self.cluster.judge(&endpoint.state, suspects, env));
        }
    }

    fn answers(&self, number: usize, statuses: &[u16]) {
        for status in statuses {
            self.tell(number, HostResult::Answered { status: *status, grpc_status: None });
        }
    }

    fn sweep(&mut self) {
        self.with_env(|env| self.cluster.look_after(env));
    }

    fn after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.sweep();
    }

    /// Numbers of the endpoints that are out.
    fn out(&self) -> Vec<usize> {
        let set = self.cluster.endpoints();
        let out = set.iter().enumerate().filter(|(_, e)| e.state.outlier.is_ejected());
        out.map(|(index, _)| index + 1).collect()
    }

    /// Who gets requests, in the order of a round.
    fn picked(&self) -> Vec<String> {
        let pick = |env: &mut Env<'_>| self.cluster.pick(&PickContext::default(), env);
        let mut found: Vec<String> = (0..12)
            .filter_map(|_| self.with_env(pick).ok())
            .map(|endpoint| endpoint.address.to_string())
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

const ALL_MAY_GO: u32 = 100;

#[test]
fn five_in_a_row_eject_and_a_success_starts_over() {
    let stage = Stage::new(&json!({"maxEjectionPercent": ALL_MAY_GO}), 3);
    stage.answers(1, &[500, 500, 500, 500, 200, 500, 500, 500, 500, 404]);
    assert!(stage.out().is_empty());
    stage.answers(1, &[500, 501, 503, 505, 500]);
    assert_eq!(stage.out(), [1]);
    assert_eq!(stage.picked(), ["10.0.0.2:80", "10.0.0.3:80"]);
    let record = stage.endpoint(1).state.outlier.record();
    let ejection = record.ejection.unwrap();
    assert_eq!((ejection.detector, ejection.count), (Detector::Consecutive5xx, 5));
    assert_eq!((ejection.since, ejection.until), (stage.now, stage.now + Duration::from_secs(30)));
    let totals = &stage.cluster.state.outliers;
    assert_eq!((totals.active.get(), totals.enforced.get(), totals.overflow.get()), (1, 1, 0));
    assert_eq!(totals.enforced_by(Detector::Consecutive5xx).get(), 1);
}

#[test]
fn failures_without_an_answer_count_as_5xx_unless_split() {
    let stage = Stage::new(&json!({"consecutive5xx": 2, "maxEjectionPercent": ALL_MAY_GO}), 4);
    stage.tell(1, HostResult::Failed);
    stage.tell(1, HostResult::TimedOut);
    assert_eq!(stage.out(), [1]);
    let split = json!({"consecutive5xx": 2, "splitExternalLocalOriginErrors": true,
        "consecutiveLocalOriginFailure": 3, "maxEjectionPercent": ALL_MAY_GO});
    let stage = Stage::new(&split, 4);
    stage.tell(1, HostResult::Failed);
    stage.tell(1, HostResult::Failed);
    stage.tell(1, HostResult::Connected);
    stage.tell(1, HostResult::Failed);
    stage.tell(1, HostResult::TimedOut);
    assert!(stage.out().is_empty(), "a connection starts the count over");
    stage.tell(1, HostResult::Failed);
    assert_eq!(stage.out(), [1]);
    let record = stage.endpoint(1).state.outlier.record();
    assert_eq!(record.ejection.unwrap().detector, Detector::ConsecutiveLocalOriginFailure);
    stage.answers(2, &[500, 500]);
    assert_eq!(stage.out(), [1, 2]);
}

#[test]
fn gateway_failures_have_a_count_of_their_own() {
    let detection = json!({"consecutiveGatewayFailure": 2, "enforcingConsecutiveGatewayFailure": 100,
        "maxEjectionPercent": ALL_MAY_GO});
    let stage = Stage::new(&detection, 3);
    stage.answers(1, &[503, 500, 502, 500]);
    assert!(stage.out().is_empty());
    stage.answers(1, &[504]);
    // Five errors in a row by now, but the gateway's count was first broken, then too short.
    assert_eq!(stage.out(), [1]);
    stage.answers(2, &[503, 504]);
    assert_eq!(stage.out(), [1, 2]);
    let record = stage.endpoint(2).state.outlier.record();
    assert_eq!(record.ejection.unwrap().detector, Detector::ConsecutiveGatewayFailure);
}

#[test]
fn codes_can_be_named_and_grpc_has_its_own() {
    let codes = json!({"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicitHttpConfig": {"httpProtocolOptions": {}},
        "outlierDetection": {"errorMatcher": {"orMatch": {"rules": [
            {"httpResponseHeadersMatch": {"headers": [{"name": ":status", "stringMatch": {"exact": "429"}}]}},
            {"httpResponseHeadersMatch": {"headers": [{"name": ":status", "stringMatch": {"exact": "503"}}]}}]}}}});
    let options = json!({"outlierDetection": {"consecutive5xx": 3, "maxEjectionPercent": 100},
        "typedExtensionProtocolOptions": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": codes}});
    let live = LiveState::new();
    let (tables, rejections) = apply(&options, 3, &Tables::empty(), &live);
    assert_eq!(rejections, []);
    let cluster = Arc::clone(tables.cluster("c").unwrap());
    let stage = Stage { cluster, live, now: Duration::from_secs(1), draw: 0 };
    stage.answers(1, &[500, 500, 500, 500]);
    assert!(stage.out().is_empty(), "500 is no error here");
    stage.answers(1, &[429, 503, 429]);
    assert_eq!(stage.out(), [1]);

    let stage = Stage::new(&json!({"consecutive5xx": 2, "maxEjectionPercent": 100}), 3);
    for grpc_status in [14, 5, 13, 2] {
        let result = HostResult::Answered { status: 200, grpc_status: Some(grpc_status) };
        stage.tell(1, result);
    }
    assert_eq!(stage.out(), [1]);
}

#[test]
fn no_more_go_than_the_percentage_allows() {
    // Ten percent of nine are less than one; of ten exactly one.
    for (endpoints, percent, expected) in [
        (9, 10, 0),
        (10, 10, 1),
        (3, 33, 0),
        (3, 34, 1),
        (3, 66, 1),
        (3, 67, 2),
        (4, 100, 4),
        (2, 0, 0),
    ] {
        let stage =
            Stage::new(&json!({"consecutive5xx": 1, "maxEjectionPercent": percent}), endpoints);
        (1..=usize::from(endpoints)).for_each(|number| stage.answers(number, &[500]));
        assert_eq!(stage.out().len(), expected, "{percent} % of {endpoints}");
        let overflows = u64::from(endpoints) - expected as u64;
        assert_eq!(stage.cluster.state.outliers.overflow.get(), overflows);
    }
    let detection =
        json!({"consecutive5xx": 1, "maxEjectionPercent": 10, "alwaysEjectOneHost": true});
    let stage = Stage::new(&detection, 3);
    stage.answers(2, &[500]);
    stage.answers(3, &[500]);
    assert_eq!(stage.out(), [2]);
    let refusal = stage.endpoint(3).state.outlier.record().refusal.unwrap();
    assert_eq!(
        refusal.reason,
        RefusalReason::MaxEjectionPercent { ejected: 1, endpoints: 3, max_percent: 10 }
    );
}

#[test]
fn a_detector_that_is_not_enforced_says_so() {
    let detection = json!({"consecutive5xx": 1, "enforcingConsecutive5xx": 30,
        "maxEjectionPercent": ALL_MAY_GO});
    let mut stage = Stage::new(&detection, 3);
    stage.draw = 30;
    stage.answers(1, &[500]);
    assert!(stage.out().is_empty());
    let refusal = stage.endpoint(1).state.outlier.record().refusal.unwrap();
    assert_eq!(refusal.reason, RefusalReason::NotEnforced { enforcing_percent: 30 });
    assert_eq!(stage.cluster.state.outliers.detected_by(Detector::Consecutive5xx).get(), 1);
    stage.draw = 129;
    stage.answers(1, &[500]);
    assert_eq!(stage.out(), [1]);
}

#[test]
fn ejections_grow_and_are_forgiven() {
    let detection = json!({"consecutive5xx": 1, "interval": "1s", "baseEjectionTime": "10s",
        "maxEjectionTime": "25s", "maxEjectionPercent": ALL_MAY_GO});
    let mut stage = Stage::new(&detection, 2);
    // 10 s, then 20 s, then the limit of 25 s.
    for seconds in [10, 20, 25, 25] {
        stage.answers(1, &[500]);
        stage.after(seconds - 1);
        assert_eq!(stage.out(), [1], "out for {seconds} s");
        stage.after(1);
        assert!(stage.out().is_empty(), "back after {seconds} s");
    }
    assert_eq!(stage.endpoint(1).state.outlier.record().ejections, 4);
    let before = stage.endpoint(1).state.outlier.record().backoff;
    stage.after(1);
    stage.after(1);
    assert_eq!(stage.endpoint(1).state.outlier.record().backoff, before - 2);
    for _ in 0..5 {
        stage.after(1);
    }
    assert_eq!(stage.endpoint(1).state.outlier.record().backoff, 0);
}

#[test]
fn a_sweep_comes_once_an_interval_and_jitter_delays_the_return() {
    let detection = json!({"consecutive5xx": 1, "interval": "7s", "baseEjectionTime": "10s",
        "maxEjectionTimeJitter": "3s", "maxEjectionPercent": ALL_MAY_GO});
    let mut stage = Stage::new(&detection, 2);
    stage.draw = 3001 * 5 + 1500;
    stage.answers(1, &[500]);
    let ejection = stage.endpoint(1).state.outlier.record().ejection.unwrap();
    assert_eq!(ejection.until - ejection.since, Duration::from_millis(11_500));
    stage.after(7);
    stage.after(5);
    assert_eq!(stage.out(), [1], "over, but not swept");
    stage.after(2);
    assert!(stage.out().is_empty());
}

#[test]
fn who_succeeds_far_less_often_than_the_others_goes() {
    let detection = json!({"consecutive5xx": 1000, "interval": "10s", "successRateMinimumHosts": 5,
        "successRateRequestVolume": 10, "maxEjectionPercent": ALL_MAY_GO});
    let mut stage = Stage::new(&detection, 6);
    for number in 1..=6 {
        let good = if number == 4 { 5 } else { 10 };
        stage.answers(number, &vec![200; good]);
        stage.answers(number, &vec![500; 10 - good]);
    }
    stage.after(10);
    // 50 % against 100 %: mean 91.7, deviation 18.6, threshold 56.3.
    assert_eq!(stage.out(), [4]);
    let record = stage.endpoint(4).state.outlier.record();
    assert_eq!(record.success_rate, Some(50.0));
    assert_eq!(record.ejection.unwrap().detector, Detector::SuccessRate);
    // Nothing new was asked since, so nothing is compared.
    stage.after(10);
    assert_eq!(stage.cluster.state.outliers.enforced.get(), 1);
}

#[test]
fn with_everybody_out_the_threshold_decides_between_panic_and_nothing() {
    let stage = Stage::new(&json!({"consecutive5xx": 1, "maxEjectionPercent": ALL_MAY_GO}), 2);
    stage.answers(1, &[500]);
    stage.answers(2, &[500]);
    assert!(stage.picked().is_empty(), "no healthy upstream");

    let options = json!({"outlierDetection": {"consecutive5xx": 1, "maxEjectionPercent": 100},
        "commonLbConfig": {"healthyPanicThreshold": {"value": 40}}});
    let live = LiveState::new();
    let (tables, _) = apply(&options, 3, &Tables::empty(), &live);
    let cluster = Arc::clone(tables.cluster("c").unwrap());
    let stage = Stage { cluster, live, now: Duration::from_secs(1), draw: 0 };
    stage.answers(1, &[500]);
    assert_eq!(stage.picked().len(), 2);
    stage.answers(2, &[500]);
    // One of three is 33 %, and cannot take everything even at 140 %.
    assert_eq!(stage.picked().len(), 3);
    assert!(stage.cluster.endpoints().plan().all(|plan| plan.panic));
}

#[test]
fn ejections_outlive_a_swap_and_end_with_the_detection() {
    let detection = json!({"consecutive5xx": 1, "maxEjectionPercent": ALL_MAY_GO});
    let mut stage = Stage::new(&detection, 3);
    stage.answers(2, &[500]);
    let old = Arc::clone(&stage.cluster);
    let changed = json!({"outlierDetection": detection, "connectTimeout": "3s"});
    let (tables, _) = apply(&changed, 4, &Tables::empty(), &stage.live);
    stage.cluster = Arc::clone(tables.cluster("c").unwrap());
    assert_eq!(stage.out(), [2]);
    assert_eq!(stage.picked().len(), 3);
    // What is learned through the new table holds for requests that still use the old one.
    stage.answers(3, &[500]);
    stage.cluster = old;
    assert_eq!(stage.picked(), ["10.0.0.1:80"]);
    let (tables, _) = apply(&json!({}), 4, &tables, &stage.live);
    stage.cluster = Arc::clone(tables.cluster("c").unwrap());
    assert_eq!(stage.picked().len(), 4);
    stage.sweep();
    assert_eq!((stage.out().len(), stage.cluster.state.outliers.active.get()), (0, 0));
}

#[test]
fn settings_that_envoy_refuses_are_refused() {
    for (detection, field) in [
        (json!({"maxEjectionPercent": 101}), "max_ejection_percent"),
        (json!({"interval": "0s"}), "interval"),
        (json!({"baseEjectionTime": "10s", "maxEjectionTime": "5s"}), "max_ejection_time"),
    ] {
        let options = json!({"outlierDetection": detection});
        let (_, rejections) = apply(&options, 1, &Tables::empty(), &LiveState::new());
        let [rejection] = rejections.as_slice() else { panic!("{rejections:?}") };
        assert_eq!(rejection.path, format!("outlier_detection.{field}"));
    }
}
