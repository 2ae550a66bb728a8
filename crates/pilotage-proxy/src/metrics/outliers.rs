//! Who is out of service, why, since when and until when; and who is not although a detector struck. Envoy tells numbers
//! only; these are ours.

use std::collections::BTreeMap;
use std::time::Duration;

use pilotage_engine::Tables;

use super::labels::push_label;
use crate::lines::line;

/// Seconds that an endpoint has been out.
const OUT: &str = "pilotage_outlier_ejected_for_seconds";
/// Seconds until it may come back.
const BACK: &str = "pilotage_outlier_returns_in_seconds";
/// Seconds since it last should have gone, and stayed.
const STAYED: &str = "pilotage_outlier_not_ejected_for_seconds";

/// In the Prometheus text format; nothing of endpoints on which nothing is on record.
pub(super) fn prometheus(tables: &Tables, now: Duration, out: &mut String) {
    let mut series: BTreeMap<&str, Vec<(String, Duration)>> = BTreeMap::new();
    for cluster in tables.clusters().filter(|c| c.settings.outlier_detection.is_some()) {
        for endpoint in cluster.endpoints().iter() {
            let record = endpoint.state.outlier.record();
            let labels = |detector| {
                let mut labels = String::new();
                push_label(&mut labels, "cluster_name", &cluster.settings.name);
                push_label(&mut labels, "endpoint", &endpoint.address.to_string());
                push_label(&mut labels, "detector", detector);
                labels
            };
            let mut add =
                |name, labels, value| series.entry(name).or_default().push((labels, value));
            if let Some(ejection) = &record.ejection {
                let labels = labels(ejection.detector.name());
                add(OUT, labels.clone(), now.saturating_sub(ejection.since));
                add(BACK, labels, ejection.until.saturating_sub(now));
            }
            if let Some(refusal) = &record.refusal {
                let mut labels = labels(refusal.detector.name());
                push_label(&mut labels, "because", refusal.reason.name());
                add(STAYED, labels, now.saturating_sub(refusal.at));
            }
        }
    }
    for (name, values) in series {
        line(out, format_args!("# TYPE {name} gauge"));
        for (labels, value) in values {
            line(out, format_args!("{name}{{{labels}}} {:.3}", value.as_secs_f64()));
        }
    }
}
