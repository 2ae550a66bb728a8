//! What can be learnt of workloads that fail: who is out and until when, and why somebody is not.

use serde_json::Value;

use crate::mesh::{Mesh, Setup};
use crate::workload::{Response, Workload};

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: be}
spec: {clusterIP: 10.96.1.1, selector: {app: be}, ports: [{name: http, port: 8000}]}
";
const URL: &str = "http://be:8000/";
const CLUSTER: &str = "outbound|8000||be.default.svc.cluster.local";

/// Two workloads of which one fails, under this `outlierDetection`, after so many requests.
struct Trial {
    bad: Workload,
    good: Workload,
    mesh: Mesh,
}

impl Trial {
    fn new(detection: &str, requests: usize) -> Self {
        let bad = Workload::with("be", "bad", |_| Response::status(503, "bad"));
        let good = Workload::new("be", "good");
        let rule = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: be}}\nspec:\n  \
             host: be\n  trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {{{detection}}}}}\n"
        );
        // One thread takes turns by itself, and does not repeat what fails.
        let mesh = Setup::new([&bad, &good])
            .text("service.yaml", SERVICE)
            .text("rule.yaml", &rule)
            .text("routes.yaml", NO_RETRIES)
            .arguments(&["--concurrency", "1"])
            .start();
        mesh.ask(requests, URL, "");
        Self { bad, good, mesh }
    }

    /// What `/clusters` says of the workload that fails.
    fn text(&self) -> Vec<String> {
        let text = self.mesh.admin("/clusters");
        let start = format!("{CLUSTER}::{}::", self.bad.address());
        text.lines().filter_map(|line| Some(line.strip_prefix(&start)?.to_owned())).collect()
    }

    fn value(&self, name: &str) -> Option<String> {
        let start = format!("{name}::");
        self.text().iter().find_map(|line| Some(line.strip_prefix(&start)?.to_owned()))
    }

    /// The same as JSON.
    fn json(&self) -> Value {
        let all: Value = serde_json::from_str(&self.mesh.admin("/clusters?format=json")).unwrap();
        let cluster = all["cluster_statuses"].as_array().unwrap().iter();
        let cluster = cluster.clone().find(|cluster| cluster["name"] == CLUSTER).unwrap();
        let address = self.bad.address().to_string();
        let mut hosts = cluster["host_statuses"].as_array().unwrap().iter();
        hosts.find(|host| host["address"] == *address).unwrap().clone()
    }

    fn stat(&self, name: &str) -> u64 {
        let start = format!("cluster.{CLUSTER}.outlier_detection.{name}: ");
        let stats = self.mesh.admin("/stats");
        stats.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    }

    /// The lines of the metric `name`.
    fn metric(&self, name: &str) -> Vec<String> {
        let metrics = self.mesh.admin("/stats/prometheus");
        let start = format!("{name}{{");
        metrics.lines().filter(|line| line.starts_with(&start)).map(str::to_owned).collect()
    }

    fn labels(&self, detector: &str) -> String {
        let address = self.bad.address();
        format!("{{cluster_name=\"{CLUSTER}\",endpoint=\"{address}\",detector=\"{detector}\"")
    }
}

const NO_RETRIES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: be}
spec: {hosts: [be], http: [{route: [{destination: {host: be}}], retries: {attempts: 0}}]}
";

#[test]
fn who_is_out_and_until_when() {
    let trial =
        Trial::new("consecutive5xxErrors: 2, baseEjectionTime: 1h, maxEjectionPercent: 50", 10);
    assert_eq!(trial.value("health_flags").as_deref(), Some("/failed_outlier_check"));
    assert_eq!(trial.value("outlier::ejected_by").as_deref(), Some("consecutive_5xx"));
    assert_eq!(trial.value("outlier::ejected_at_count").as_deref(), Some("2"));
    assert_eq!(trial.value("outlier::not_ejected_by"), None);
    assert_eq!(trial.value("outlier::used_because"), None);
    assert_eq!(trial.value("traffic_percent").as_deref(), Some("0.0"));
    let seconds =
        |name| -> f64 { trial.value(name).unwrap().trim_end_matches('s').parse().unwrap() };
    assert!(seconds("outlier::ejected_for") + seconds("outlier::returns_in") >= 3600.0 - 0.01);
    let json = &trial.json()["outlier_detection"];
    assert_eq!((&json["ejections"], &json["ejected"]["count"]), (&1.into(), &2.into()));
    assert_eq!(json["not_ejected"], Value::Null);
    let labels = trial.labels("consecutive_5xx");
    for name in ["pilotage_outlier_ejected_for_seconds", "pilotage_outlier_returns_in_seconds"] {
        let lines = trial.metric(name);
        assert!(lines.len() == 1 && lines[0].contains(&labels), "{lines:?}");
    }
    assert_eq!(trial.stat("ejections_active"), 1);
    assert_eq!(trial.good.take_seen().len() + trial.bad.take_seen().len(), 10);
}

#[test]
fn too_many_would_be_out() {
    let trial = Trial::new("consecutive5xxErrors: 3, maxEjectionPercent: 49", 8);
    assert_eq!(trial.value("health_flags").as_deref(), Some("healthy"));
    assert_eq!(trial.value("outlier::not_ejected_by").as_deref(), Some("consecutive_5xx"));
    assert_eq!(trial.value("outlier::not_ejected_at_count").as_deref(), Some("3"));
    let why = "0 of 2 endpoints are out, and one more would exceed max_ejection_percent 49";
    assert_eq!(trial.value("outlier::not_ejected_because").as_deref(), Some(why));
    // The fourth failure begins to count anew.
    assert_eq!(trial.value("outlier::consecutive_5xx").as_deref(), Some("1 of 3"));
    let json = trial.json();
    assert_eq!(json["outlier_detection"]["not_ejected"]["because"], why);
    assert_eq!(
        json["outlier_streaks"]["consecutive_5xx"],
        serde_json::json!({"count": 1, "of": 3})
    );
    let lines = trial.metric("pilotage_outlier_not_ejected_for_seconds");
    let labels = trial.labels("consecutive_5xx") + ",because=\"max_ejection_percent\"}";
    assert!(lines.len() == 1 && lines[0].contains(&labels), "{lines:?}");
    assert_eq!((trial.stat("ejections_active"), trial.stat("ejections_overflow")), (0, 1));
}

#[test]
fn a_detector_that_is_off_only_looks_on() {
    // Five gateway errors in a row are noticed, and nobody has asked to eject for them.
    let trial = Trial::new("consecutive5xxErrors: 9, maxEjectionPercent: 100", 10);
    assert_eq!(trial.value("health_flags").as_deref(), Some("healthy"));
    assert_eq!(
        trial.value("outlier::not_ejected_by").as_deref(),
        Some("consecutive_gateway_failure")
    );
    assert_eq!(trial.value("outlier::not_ejected_because").as_deref(), Some("the detector is off"));
    assert_eq!(trial.value("outlier::consecutive_5xx").as_deref(), Some("5 of 9"));
    let lines = trial.metric("pilotage_outlier_not_ejected_for_seconds");
    assert!(lines.len() == 1 && lines[0].contains("because=\"not_enforced\""), "{lines:?}");
    assert_eq!(trial.stat("ejections_detected_consecutive_gateway_failure"), 1);
    assert_eq!(trial.stat("ejections_enforced_total"), 0);
}

#[test]
fn too_few_would_be_left() {
    let detection = "consecutive5xxErrors: 1, maxEjectionPercent: 100, minHealthPercent: 60";
    let trial = Trial::new(detection, 10);
    assert_eq!(trial.value("health_flags").as_deref(), Some("/failed_outlier_check"));
    let why = "too few endpoints of its priority are healthy, so all are used";
    assert_eq!(trial.value("outlier::used_because").as_deref(), Some(why));
    assert_eq!(trial.value("traffic_percent").as_deref(), Some("50.0"));
    assert!(
        trial.mesh.admin("/clusters").contains(&format!("{CLUSTER}::priority_0::panic::true\n"))
    );
    assert_eq!(trial.bad.take_seen().len(), 5);
}
