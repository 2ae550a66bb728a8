//! Endpoints that begin with a small share: the same endpoint arrives at both proxies at the same moment, and while it
//! grows both get the same requests in turn.
//!
//! The clocks cannot be stopped, so nothing here is compared with what it should be at some time: each proxy is asked at
//! nearly the same moment as the other, and how much the two moments at which they met the endpoint may differ is
//! measured and allowed for. A machine that stands still makes the comparison coarser, not wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use pilotage_testkit::peers;
use serde_json::{Value, json};

use super::stage::{Client, Stage, Upstream, until};

/// How long endpoints grow.
const WINDOW: Duration = Duration::from_secs(8);
/// Into how many parts of the window the requests are sorted.
const PARTS: usize = 4;

/// One way to grow.
struct Curve {
    name: &'static str,
    policy: &'static str,
    /// Fields of `slow_start_config` beside the window.
    more: Value,
    aggression: f64,
    least: f64,
    /// Weight of the new endpoint; the other has 1.
    weight: u32,
}

/// Requests of one part of the window.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Requests to each proxy.
    asked: usize,
    /// How many of them the new endpoint got from Envoy, and from us.
    got: [usize; 2],
    /// By how much the two may differ because they met the endpoint at different moments.
    leeway: f64,
}

impl Curve {
    /// What part of the requests the new endpoint gets when it is so old.
    fn share(&self, age: Duration) -> f64 {
        let time = (age.as_secs_f64() / WINDOW.as_secs_f64()).clamp(0.0, 1.0);
        let weight = f64::from(self.weight) * time.powf(1.0 / self.aggression).max(self.least);
        weight / (1.0 + weight)
    }

    fn cluster(&self, file: &PathBuf) -> Value {
        let mut growth = self.more.clone();
        growth["slowStartWindow"] = json!(format!("{}s", WINDOW.as_secs()));
        let field = match self.policy {
            "ROUND_ROBIN" => "roundRobinLbConfig",
            _ => "leastRequestLbConfig",
        };
        json!({
            "name": self.name,
            "type": "EDS",
            "connectTimeout": "10s",
            "lbPolicy": self.policy,
            field: {"slowStartConfig": growth},
            "edsClusterConfig": {"edsConfig": {"pathConfigSource": {"path": file}}},
        })
    }

    /// Endpoints as EDS delivers them, with the new one or without.
    fn assignment(&self, number: usize, port: u16, with_new: bool) -> Value {
        let weights = [1, self.weight];
        let endpoint = |last: usize| {
            let address = json!({"address": format!("127.21.{number}.{last}"), "portValue": port});
            json!({"endpoint": {"address": {"socketAddress": address}},
                   "loadBalancingWeight": weights[last - 1]})
        };
        let endpoints: Vec<Value> = (1..=if with_new { 2 } else { 1 }).map(endpoint).collect();
        json!({"clusterName": self.name,
               "endpoints": [{"locality": {"zone": "z"}, "lbEndpoints": endpoints}]})
    }
}

fn curves() -> Vec<Curve> {
    let aggression = |value: f64| json!({"aggression": {"defaultValue": value, "runtimeKey": "a"}});
    let curve = |name, policy, more, (aggression, least), weight| Curve {
        name,
        policy,
        more,
        aggression,
        least,
        weight,
    };
    let mut floor = aggression(0.5);
    floor["minWeightPercent"] = json!({"value": 40});
    vec![
        curve("even", "ROUND_ROBIN", json!({}), (1.0, 0.1), 1),
        curve("fast", "ROUND_ROBIN", aggression(4.0), (4.0, 0.1), 1),
        curve("slow", "LEAST_REQUEST", aggression(0.4), (0.4, 0.1), 3),
        curve("floor", "LEAST_REQUEST", floor, (0.5, 0.4), 1),
    ]
}

#[test]
fn new_endpoints_grow_as_on_envoy() {
    let Some(program) = peers::require("envoy") else { return };
    let port = Upstream::start().port;
    let curves = curves();
    let folder = tempfile::tempdir().unwrap();
    let file = |curve: &Curve| folder.path().join(curve.name);
    let write = |with_new: bool| {
        let assignments: Vec<Value> =
            (1..).zip(&curves).map(|(n, curve)| curve.assignment(n, port, with_new)).collect();
        for (curve, assignment) in curves.iter().zip(&assignments) {
            let mut resource = assignment.clone();
            resource["@type"] =
                json!("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment");
            // Envoy notices a file that is moved to the place.
            let draft = folder.path().join("draft");
            fs::write(&draft, json!({"resources": [resource]}).to_string()).unwrap();
            fs::rename(&draft, file(curve)).unwrap();
        }
        assignments
    };
    let assignments = write(false);
    let clusters: Vec<Value> = curves.iter().map(|curve| curve.cluster(&file(curve))).collect();
    let stage = Stage::delivering(&program, &clusters, &BTreeMap::new(), &assignments);
    let mut clients = stage.sides().map(|side| side.client());
    for curve in &curves {
        for client in &mut clients {
            assert_eq!(client.get(&format!("/{}/", curve.name), &[]).status(), 200);
        }
    }
    // The endpoints that are there grow as well, and have to be done with it.
    let born = Instant::now();
    while born.elapsed() <= WINDOW {
        thread::sleep(Duration::from_millis(20)); // between two looks
    }

    let earliest = Instant::now();
    let assignments = write(true);
    stage.deliver(&assignments);
    until("envoy has the new endpoints", || {
        curves.iter().all(|curve| stage.envoy.stat(curve.name, "membership_total") == 2)
    });
    // By the time it answers this, Envoy's worker has heard of them.
    assert_eq!(clients[0].get("/idle", &[]).status(), 204);
    let latest = Instant::now();

    let mut seen = vec![[Part::default(); PARTS]; curves.len()];
    while let Some(part) = part_of(latest.elapsed()) {
        for ((curve, parts), number) in curves.iter().zip(&mut seen).zip(1..) {
            let before = earliest.elapsed();
            for (client, side) in clients.iter_mut().zip(0..) {
                parts[part].got[side] += usize::from(reaches_new(client, curve, number));
            }
            parts[part].asked += 1;
            // The two requests were decided between these ages of the endpoint.
            let youngest = before.saturating_sub(latest - earliest);
            parts[part].leeway += curve.share(earliest.elapsed()) - curve.share(youngest);
        }
    }
    for (curve, parts) in curves.iter().zip(&seen) {
        let mut all = Part::default();
        for part in parts {
            check(curve, part);
            all.asked += part.asked;
            all.leeway += part.leeway;
            for (sum, got) in all.got.iter_mut().zip(part.got) {
                *sum += got;
            }
        }
        check(curve, &all);
    }
}

/// Which part of the window it is; none when it is over.
fn part_of(age: Duration) -> Option<usize> {
    let part = age.as_millis() * PARTS as u128 / WINDOW.as_millis();
    usize::try_from(part).ok().filter(|part| *part < PARTS)
}

fn reaches_new(client: &mut Client, curve: &Curve, number: usize) -> bool {
    client.reached(&format!("/{}/", curve.name), &[]) == format!("127.21.{number}.2")
}

/// Endpoints take turns, in which nothing is left to chance but who begins. So the two differ by hardly more than what the
/// moments explain: a turn or two, as a rule. Allowed are some more, and one in fifty.
fn check(curve: &Curve, part: &Part) {
    let [theirs, ours] = part.got;
    let off = theirs.abs_diff(ours) as f64;
    let allowed = part.leeway + 5.0 + part.asked as f64 / 50.0;
    assert!(off <= allowed, "{}: {part:?} are {off} apart, {allowed:.1} allowed", curve.name);
}
