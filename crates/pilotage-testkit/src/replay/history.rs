//! What happened before a request: answers that endpoints gave, requests that are still held, endpoints that joined.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::outlier_detection::HostResult;
use pilotage_engine::{Env, LiveState, Rejection, Tables};
use pilotage_explain::simulation::next_tables;
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::address::Address;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::endpoint::v3::LbEndpoint;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;

use super::NOW;

/// One thing that happened. Endpoints are `ip:port`.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An endpoint answered, or failed to, so often in a row.
    Results(Vec<HostResult>, String),
    /// Nothing, for some time.
    Wait(Duration),
    /// So many requests were sent to an endpoint and have no answer yet.
    Held(u32, String),
    /// An endpoint is new from here on.
    Joins(String),
}

/// The tables that requests meet after all of this.
#[must_use]
pub fn enact(set: &ResourceSet, events: &[Event]) -> (Arc<Tables>, Vec<Rejection>) {
    let waited = events.iter().map(|event| match event {
        Event::Wait(time) => *time,
        _ => Duration::ZERO,
    });
    let mut past = Past { live: LiveState::new(), now: NOW.saturating_sub(waited.sum()) };
    let mut absent: BTreeSet<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Joins(endpoint) => Some(endpoint.as_str()),
            _ => None,
        })
        .collect();
    let (mut tables, mut rejections) =
        next_tables(&Tables::empty(), &without(set, &absent), &past.live);
    past.look_after(&tables);
    for event in events {
        match event {
            Event::Results(results, endpoint) => past.tell(&tables, results, endpoint),
            Event::Wait(time) => past.wait(&tables, *time),
            Event::Held(count, endpoint) => {
                for (cluster, endpoint) in at(&tables, endpoint) {
                    for _ in 0..*count {
                        cluster.state.active_requests.increase();
                        endpoint.state.active_requests.increase();
                    }
                }
            }
            Event::Joins(endpoint) => {
                absent.remove(endpoint.as_str());
                (tables, rejections) = next_tables(&tables, &without(set, &absent), &past.live);
                past.look_after(&tables);
            }
        }
    }
    (tables, rejections)
}

struct Past {
    live: LiveState,
    now: Duration,
}

impl Past {
    fn with_env<R>(&self, act: impl FnOnce(&mut Env<'_>) -> R) -> R {
        let mut chance = || 0;
        act(&mut Env { now: self.now, unix_time: Duration::ZERO, rng: &mut chance })
    }

    fn look_after(&self, tables: &Tables) {
        for cluster in tables.clusters() {
            self.with_env(|env| cluster.look_after(env));
        }
    }

    fn tell(&self, tables: &Tables, results: &[HostResult], endpoint: &str) {
        for (cluster, endpoint) in at(tables, endpoint) {
            for result in results {
                let suspects = cluster.note(&endpoint.state, *result);
                self.with_env(|env| cluster.judge(&endpoint.state, suspects, env));
            }
        }
    }

    /// A look every second, as the proxy takes at least.
    fn wait(&mut self, tables: &Tables, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + Duration::from_secs(1));
            self.look_after(tables);
        }
    }
}

/// The endpoint, in every cluster that has it.
fn at<'t>(
    tables: &'t Tables,
    address: &str,
) -> impl Iterator<Item = (&'t Arc<ClusterTable>, Arc<Endpoint>)> {
    tables.clusters().filter_map(move |cluster| {
        let set = cluster.endpoints();
        let found = set.iter().find(|endpoint| endpoint.address.to_string() == address);
        found.map(|endpoint| (cluster, Arc::clone(endpoint)))
    })
}

/// The resources without some endpoints.
fn without(set: &ResourceSet, absent: &BTreeSet<&str>) -> ResourceSet {
    let mut set = set.clone();
    for assignment in set.endpoints.values_mut() {
        for locality in &mut Arc::make_mut(assignment).endpoints {
            locality.lb_endpoints.retain(|endpoint| {
                !address(endpoint).is_some_and(|address| absent.contains(address.as_str()))
            });
        }
    }
    set
}

fn address(endpoint: &LbEndpoint) -> Option<String> {
    let HostIdentifier::Endpoint(endpoint) = endpoint.host_identifier.as_ref()? else {
        return None;
    };
    let Address::SocketAddress(socket) = endpoint.address.as_ref()?.address.as_ref()? else {
        return None;
    };
    let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else { return None };
    Some(format!("{}:{port}", socket.address))
}
