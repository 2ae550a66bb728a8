//! How clusters are now: circuit breakers, health, outlier detection. Read from the live state when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_engine::Tables;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::Health;
use pilotage_engine::outlier_detection::Detector;

/// By Envoy's name: whether the number goes up and down, and its value for each cluster.
pub(super) type ClusterValues = BTreeMap<&'static str, (bool, BTreeMap<Arc<str>, u64>)>;

/// The values of every cluster under Envoy's names.
pub(super) fn values(tables: &Tables) -> ClusterValues {
    let mut values = ClusterValues::new();
    for cluster in tables.clusters() {
        let mut add = |name, gauge, value| {
            let (_gauge, of) = values.entry(name).or_insert_with(|| (gauge, Default::default()));
            of.insert(Arc::clone(&cluster.settings.name), value);
        };
        breakers(cluster, &mut add);
        members(cluster, &mut add);
        outliers(cluster, &mut add);
    }
    values
}

fn breakers(cluster: &ClusterTable, add: &mut impl FnMut(&'static str, bool, u64)) {
    for usage in cluster.settings.circuit_breakers.in_use(&cluster.state) {
        let (open, remaining) = match usage.name {
            "cx" => ("circuit_breakers.default.cx_open", "circuit_breakers.default.remaining_cx"),
            "pending" => (
                "circuit_breakers.default.rq_pending_open",
                "circuit_breakers.default.remaining_pending",
            ),
            "rq" => ("circuit_breakers.default.rq_open", "circuit_breakers.default.remaining_rq"),
            _ => (
                "circuit_breakers.default.rq_retry_open",
                "circuit_breakers.default.remaining_retries",
            ),
        };
        add(open, true, usage.is_open().into());
        add(remaining, true, usage.remaining().into());
    }
    add("upstream_rq_active", true, cluster.state.active_requests.get().into());
    add("upstream_rq_pending_active", true, cluster.state.pending_requests.get().into());
}

fn members(cluster: &ClusterTable, add: &mut impl FnMut(&'static str, bool, u64)) {
    let set = cluster.endpoints();
    let (mut healthy, mut degraded, mut all) = (0, 0, 0);
    for endpoint in set.iter() {
        all += 1;
        match set.health(endpoint) {
            Health::Healthy => healthy += 1,
            Health::Degraded => degraded += 1,
            Health::Unhealthy => {}
        }
    }
    add("membership_healthy", true, healthy);
    add("membership_degraded", true, degraded);
    add("membership_total", true, all);
}

fn outliers(cluster: &ClusterTable, add: &mut impl FnMut(&'static str, bool, u64)) {
    if cluster.settings.outlier_detection.is_none() {
        return;
    }
    let totals = &cluster.state.outliers;
    add("outlier_detection.ejections_active", true, totals.active.get().into());
    add("outlier_detection.ejections_enforced_total", false, totals.enforced.get());
    add("outlier_detection.ejections_overflow", false, totals.overflow.get());
    for detector in Detector::ALL {
        let (detected, enforced) = match detector {
            Detector::Consecutive5xx => (
                "outlier_detection.ejections_detected_consecutive_5xx",
                "outlier_detection.ejections_enforced_consecutive_5xx",
            ),
            Detector::ConsecutiveGatewayFailure => (
                "outlier_detection.ejections_detected_consecutive_gateway_failure",
                "outlier_detection.ejections_enforced_consecutive_gateway_failure",
            ),
            Detector::ConsecutiveLocalOriginFailure => (
                "outlier_detection.ejections_detected_consecutive_local_origin_failure",
                "outlier_detection.ejections_enforced_consecutive_local_origin_failure",
            ),
            Detector::SuccessRate => (
                "outlier_detection.ejections_detected_success_rate",
                "outlier_detection.ejections_enforced_success_rate",
            ),
            Detector::LocalOriginSuccessRate => (
                "outlier_detection.ejections_detected_local_origin_success_rate",
                "outlier_detection.ejections_enforced_local_origin_success_rate",
            ),
        };
        add(detected, false, totals.detected_by(detector).get());
        add(enforced, false, totals.enforced_by(detector).get());
    }
}
