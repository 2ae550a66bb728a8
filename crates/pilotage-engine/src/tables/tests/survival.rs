//! What an edit does not touch keeps everything: tables, counters, ejections, requests in flight.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};

use crate::cluster::ClusterTable;
use crate::endpoint::Endpoint;
use crate::env::Env;
use crate::live_state::{ActiveRequest, LiveState};
use crate::load_balancing::PickContext;
use crate::outlier_detection::HostResult;
use crate::tables::Tables;

const CLUSTERS: usize = 3;

/// A change to the configuration.
#[derive(Clone, Debug)]
enum Edit {
    /// Another policy for a cluster.
    Policy(usize, u8),
    /// An endpoint of a cluster comes or goes.
    Endpoint(usize, u8),
    /// Another route.
    Route(u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (0..3_u8, 0..CLUSTERS, any::<u8>()).prop_map(|(kind, cluster, what)| match kind {
        0 => Edit::Policy(cluster, what),
        1 => Edit::Endpoint(cluster, what % 6),
        _ => Edit::Route(what),
    });
    prop::collection::vec(edit, 1..12)
}

/// A configuration that edits change.
#[derive(Clone, Debug)]
struct Written {
    policies: [u8; CLUSTERS],
    /// Last bytes of the endpoints' addresses.
    endpoints: [Vec<u8>; CLUSTERS],
    route: u8,
}

impl Written {
    fn new() -> Self {
        let endpoints = std::array::from_fn(|_| vec![0, 1, 2, 3]);
        Self { policies: [0; CLUSTERS], endpoints, route: 0 }
    }

    fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Policy(cluster, policy) => self.policies[*cluster] = *policy,
            Edit::Endpoint(cluster, endpoint) => {
                let list = &mut self.endpoints[*cluster];
                match list.iter().position(|e| e == endpoint) {
                    Some(there) => drop(list.remove(there)),
                    None => list.push(*endpoint),
                }
            }
            Edit::Route(route) => self.route = *route,
        }
    }

    fn resources(&self) -> ResourceSet {
        let mut set = ResourceSet::default();
        for (index, (policy, endpoints)) in self.policies.iter().zip(&self.endpoints).enumerate() {
            let name = format!("c{index}");
            let policy_name =
                ["ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "MAGLEV"][usize::from(policy % 4)];
            let cluster = json!({"name": name, "type": "EDS", "lbPolicy": policy_name,
                "connectTimeout": format!("{}s", u16::from(*policy) + 1),
                "outlierDetection": {"consecutive5xx": 1, "maxEjectionPercent": 100}});
            let endpoints: Vec<Value> = endpoints
                .iter()
                .map(|last| {
                    let address = format!("10.0.{index}.{last}");
                    let socket = json!({"socketAddress": {"address": address, "portValue": 80}});
                    json!({"endpoint": {"address": socket}})
                })
                .collect();
            let assignment =
                json!({"clusterName": name, "endpoints": [{"lbEndpoints": endpoints}]});
            set.clusters.insert(name.clone(), Arc::new(from_value(&cluster).unwrap()));
            set.endpoints.insert(name, Arc::new(from_value(&assignment).unwrap()));
        }
        let routes = json!({"name": "80", "virtualHosts": [{"name": "v", "domains": ["*"], "routes": [
            {"match": {"prefix": format!("/{}", self.route)}, "route": {"cluster": "c0"}}]}]});
        set.routes.insert("80".into(), Arc::new(from_value(&routes).unwrap()));
        set
    }
}

/// What is known of an endpoint.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    active: u32,
    requests: u64,
    errors: u64,
    ejected: bool,
    in_a_row: u32,
}

fn known(endpoint: &Endpoint) -> Known {
    let state = &endpoint.state;
    Known {
        active: state.active_requests.get(),
        requests: state.requests_total.get(),
        errors: state.error_total.get(),
        ejected: state.outlier.is_ejected(),
        in_a_row: state.outlier.in_a_row(crate::outlier_detection::Detector::Consecutive5xx),
    }
}

fn all_known(table: &ClusterTable) -> BTreeMap<String, Known> {
    table.endpoints().iter().map(|e| (e.address.to_string(), known(e))).collect()
}

/// One request to each endpoint; every second one of them is still under way, every third was an error.
fn exercise(table: &ClusterTable, under_way: &mut Vec<ActiveRequest>) {
    for (index, endpoint) in table.endpoints().iter().enumerate() {
        let request = ActiveRequest::begin(&table.state, &endpoint.state);
        if index % 3 == 0 {
            request.ended(None);
            let suspects = table.note(&endpoint.state, HostResult::Failed);
            let mut chance = || 0;
            let now = Duration::from_secs(1);
            let mut env = Env { now, unix_time: Duration::ZERO, rng: &mut chance };
            table.judge(&endpoint.state, suspects, &mut env);
        }
        if index % 2 == 0 {
            under_way.push(request);
        }
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn an_edit_keeps_what_it_does_not_touch(edits in edits()) {
        let live = LiveState::new();
        let mut written = Written::new();
        let (mut tables, _) = Tables::apply(&Tables::empty(), &written.resources(), &live);
        let mut under_way = Vec::new();
        for edit in &edits {
            for table in tables.clusters() {
                exercise(table, &mut under_way);
            }
            let before = Arc::clone(&tables);
            written.apply(edit);
            let (next, rejections) = Tables::apply(&tables, &written.resources(), &live);
            prop_assert_eq!(rejections, vec![]);
            tables = next;
            for (index, old) in before.clusters().enumerate() {
                let new = tables.cluster(old.name()).unwrap();
                prop_assert!(Arc::ptr_eq(&old.state, &new.state));
                let touched = match edit {
                    Edit::Policy(cluster, _) | Edit::Endpoint(cluster, _) => *cluster == index,
                    Edit::Route(_) => false,
                };
                if !touched {
                    prop_assert!(Arc::ptr_eq(old, new), "{edit:?} touched {}", old.name());
                }
                // Of what is touched, every endpoint that stays keeps its own.
                let (was, is) = (all_known(old), all_known(new));
                for (address, known) in is.iter().filter(|(address, _)| was.contains_key(*address)) {
                    prop_assert_eq!(known, &was[address], "{} after {:?}", address, edit);
                }
            }
            drop(before);
            live.forget_unused();
        }
        // Nothing is counted twice or lost: when all requests are over, nobody is busy.
        drop(under_way);
        for table in tables.clusters() {
            prop_assert_eq!(table.state.active_requests.get(), 0);
            prop_assert!(all_known(table).values().all(|known| known.active == 0));
        }
    }

    #[test]
    fn who_leaves_a_ring_takes_only_its_own_keys(count in 3..9_u8, leaver in 0..9_u8) {
        let leaver = leaver % count;
        let ring = |endpoints: Vec<u8>| {
            let live = LiveState::new();
            // Places are equal for all as long as the least size does not ask for more than one each.
            let cluster = json!({"name": "c", "lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": 1},
                "loadAssignment": {"clusterName": "c", "endpoints": [{"lbEndpoints":
                    endpoints.iter().map(|last| json!({"endpoint": {"address": {"socketAddress":
                        {"address": format!("10.0.0.{last}"), "portValue": 80}}}})).collect::<Vec<_>>()}]}});
            let mut set = ResourceSet::default();
            set.clusters.insert("c".into(), Arc::new(from_value(&cluster).unwrap()));
            Tables::apply(&Tables::empty(), &set, &live).0
        };
        let all = ring((0..count).collect());
        let rest = ring((0..count).filter(|last| *last != leaver).collect());
        let gone = format!("10.0.0.{leaver}:80");
        let mut chance = || 0;
        let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
        for key in 0..500_u64 {
            let hash = xxhash_rust::xxh64::xxh64(&key.to_le_bytes(), 0);
            let context = PickContext { hash: Some(hash), ..PickContext::default() };
            let mut to = |tables: &Tables| {
                tables.cluster("c").unwrap().pick(&context, &mut env).unwrap().address.to_string()
            };
            let (before, after) = (to(&all), to(&rest));
            prop_assert!(before == after || before == gone, "{key}: {before} became {after}");
        }
    }
}
