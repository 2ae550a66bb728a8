//! Where a request may go, and how it is carried there.

use std::collections::BTreeMap;

use http::header::HOST;
use pilotage_config::virtual_service::{HttpRoute, HttpRouteDestination};
use pilotage_engine::Decision;
use pilotage_engine::cluster::{ClusterTable, Discovery};
use pilotage_engine::endpoint::{Endpoint, Health};
use pilotage_engine::forward::{Exchange, Forward, UpstreamFailure};
use pilotage_engine::headers::Headers;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::origin::Origin;
use pilotage_engine::request::UpstreamHead;
use pilotage_model::ServiceView;

use crate::cluster_policies;
use crate::explain::{Scene, origin_of_cluster};
use crate::explanation::{Destination, EndpointAnswer, Fact, Place, Upstream};
use crate::passage::RoutedHead;
use crate::recorder::Chance;
use crate::request::Request;

/// What is needed to describe the destinations of a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destinations<'a> {
    pub(crate) scene: &'a Scene<'a>,
    /// The rule's origin.
    pub(crate) from: Option<&'a Origin>,
    /// The HTTP rule as written.
    pub(crate) rule: Option<&'a HttpRoute>,
}

/// A cluster's name taken apart: `outbound|9080|v2|reviews.default.svc.cluster.local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClusterName<'a> {
    pub(crate) port: u16,
    pub(crate) subset: &'a str,
    pub(crate) host: &'a str,
}

impl<'a> ClusterName<'a> {
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let mut parts = name.splitn(4, '|');
        let (_direction, port, subset, host) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self { port: port.parse().ok()?, subset, host })
    }
}

impl<'a> Destinations<'a> {
    /// The destinations of these names and weights.
    pub(crate) fn of(&self, shares: Vec<(String, u64)>) -> Vec<Destination> {
        let total: u64 = shares.iter().map(|(_, weight)| weight).sum();
        let mut positions = self.written_positions().into_iter();
        shares
            .into_iter()
            .map(|(name, weight)| {
                let position = positions.next();
                self.one(&name, weight, total, position)
            })
            .collect()
    }

    /// The places in the rule's list of destinations that became clusters: all of a single one, else those with weight.
    fn written_positions(&self) -> Vec<usize> {
        let Some(rule) = self.rule else { return Vec::new() };
        let single = rule.route.len() == 1;
        let counts = |entry: &HttpRouteDestination| single || entry.weight != 0;
        let entries = rule.route.iter().enumerate();
        entries.filter(|(_, entry)| counts(entry)).map(|(index, _)| index).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "weights are far below 2^52")]
    fn one(&self, name: &str, weight: u64, total: u64, position: Option<usize>) -> Destination {
        let tables = self.scene.tables();
        let cluster = tables.cluster(name);
        let parts = ClusterName::parse(name);
        let policy = origin_of_cluster(tables, name);
        let place = self.entry(position);
        let mut destination = Destination {
            name: name.to_owned(),
            weight,
            share: if total == 0 { 0.0 } else { weight as f64 * 100.0 / total as f64 },
            host: parts.map(|parts| parts.host.to_owned()).filter(|host| !host.is_empty()),
            subset: parts.map(|parts| parts.subset.to_owned()).filter(|s| !s.is_empty()),
            port: parts.map(|parts| parts.port),
            exists: cluster.is_some(),
            place,
            policy: policy.as_ref().map(|from| self.scene.places.place(&from.object, &from.path)),
            ..Destination::default()
        };
        let view = parts.and_then(|parts| self.scene.simulation.view.service(parts.host));
        if let (Some(view), Some(subset)) = (view, &destination.subset) {
            let known = view.rule.as_ref().and_then(|rule| rule.subset(subset));
            destination.labels = known.map(|subset| subset.labels.clone()).unwrap_or_default();
        }
        match cluster {
            Some(cluster) => self.describe(&mut destination, cluster, view.map(|view| &**view)),
            None => {
                destination.status = Some(503);
                "NC".clone_into(&mut destination.flags);
            }
        }
        destination.facts.extend(self.header_operations(position));
        destination
    }

    fn describe(
        &self,
        destination: &mut Destination,
        cluster: &ClusterTable,
        view: Option<&ServiceView>,
    ) {
        destination.endpoints = endpoints(cluster, self.scene);
        destination.facts = cluster_policies::of(self.scene, cluster, view);
        let context = PickContext {
            original_destination: self.scene.question.arrival.original_destination(),
            hash: Some(0),
            ..PickContext::default()
        };
        let chance = Chance::at(0);
        let picked = chance.with(self.scene.question.now, |env| cluster.pick(&context, env));
        if picked.is_err() {
            destination.status = Some(503);
            "UH".clone_into(&mut destination.flags);
        }
    }

    /// Completes a destination by what the engine decided for requests that draw it.
    pub(crate) fn decided(
        &self,
        destination: &mut Destination,
        decision: &Option<Decision>,
        head: Option<&RoutedHead>,
        request: &Request,
    ) {
        match decision {
            Some(Decision::Reply(reply)) => {
                destination.status = Some(reply.status.as_u16());
                destination.flags = reply.flags.to_string();
            }
            Some(Decision::Forward(forward)) => {
                let limits = &forward.cluster.settings.circuit_breakers;
                if !limits.admit_request(&forward.cluster.state) {
                    let reply = forward.failure(UpstreamFailure::Overflow);
                    destination.status = Some(reply.status.as_u16());
                    destination.flags = reply.flags.to_string();
                } else if destination.status.is_some() {
                    let reply = forward.failure(UpstreamFailure::NoHealthyUpstream);
                    destination.flags = reply.flags.to_string();
                } else {
                    destination.flags = forward.flags.to_string();
                }
                destination.upstream = head.map(|head| upstream(forward, head, request));
            }
            None => {}
        }
    }

    /// The line of the rule's entry for a destination.
    fn entry(&self, position: Option<usize>) -> Option<Place> {
        let from = self.from?;
        let path = match position {
            Some(position) => format!("{}.route[{position}]", from.rule()),
            None => from.rule().to_owned(),
        };
        Some(self.scene.places.place(&from.object, &path))
    }

    /// What the entry for a destination does to headers.
    fn header_operations(&self, position: Option<usize>) -> Vec<Fact> {
        let (Some(from), Some(position)) = (self.from, position) else { return Vec::new() };
        let written = self.rule.and_then(|rule| rule.route.get(position));
        let path = format!("{}.route[{position}]", from.rule());
        let headers = written.and_then(|entry| entry.headers.as_deref());
        crate::header_operations::of(self.scene.places, &from.object, &path, headers)
    }
}

/// The endpoints of a cluster in the order in which they were delivered.
fn endpoints(cluster: &ClusterTable, scene: &Scene<'_>) -> Vec<EndpointAnswer> {
    if cluster.settings.discovery == Discovery::OriginalDst {
        return Vec::new();
    }
    let set = cluster.endpoints();
    let answer = |(endpoint, share): (&std::sync::Arc<Endpoint>, f64)| {
        let (health, reason) = health(endpoint, set.health(endpoint), scene);
        let locality = &endpoint.locality;
        let parts = [&locality.region, &locality.zone, &locality.sub_zone];
        let named: Vec<&str> =
            parts.iter().map(|part| part.as_str()).take_while(|part| !part.is_empty()).collect();
        EndpointAnswer {
            address: endpoint.address.to_string(),
            hostname: Some(endpoint.hostname.to_string()).filter(|name| !name.is_empty()),
            health,
            reason,
            share,
            locality: (!named.is_empty()).then(|| named.join("/")),
            priority: endpoint.priority,
        }
    };
    set.iter().zip(set.shares()).map(answer).collect()
}

fn health(endpoint: &Endpoint, now: Health, scene: &Scene<'_>) -> (String, Option<String>) {
    let record = endpoint.state.outlier.record();
    if let Some(ejection) = record.ejection {
        let left = ejection.until.saturating_sub(scene.question.now).as_secs();
        let why = format!("{} × {}, back in {left} s", ejection.count, ejection.detector.name());
        return ("ejected".to_owned(), Some(why));
    }
    let word = match now {
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Unhealthy => "unhealthy",
    };
    (word.to_owned(), None)
}

/// The request as an endpoint gets it.
fn upstream(forward: &Forward, head: &RoutedHead, request: &Request) -> Upstream {
    let mut headers = head.headers.clone();
    headers.remove(HOST);
    let exchange = Exchange {
        attempts: 1,
        cluster: Some(forward.cluster.name()),
        hostname: "proxy",
        ..Exchange::default()
    };
    let (path, authority) = head.with(|head| {
        let mut changed = UpstreamHead {
            method: head.method,
            scheme: head.scheme,
            path: head.path.into(),
            authority: head.authority.into(),
            headers: &mut headers,
        };
        forward.apply_request_headers(&mut changed, head, &exchange);
        (changed.path.into_owned(), changed.authority.into_owned())
    });
    Upstream { path, authority, headers: changes(&request.headers, &headers) }
}

/// Headers of `after` that differ from those of `before`. What is different in every request is left out.
fn changes(before: &Headers, after: &Headers) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for name in before.keys().chain(after.keys()) {
        if name == HOST || name == "x-request-id" {
            continue;
        }
        let all = |headers: &Headers| -> Vec<String> {
            let values = headers.get_all(name);
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
        };
        let (old, new) = (all(before), all(after));
        if old != new {
            let value = (!new.is_empty()).then(|| new.join(", "));
            found.insert(name.as_str().to_owned(), value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::ClusterName;

    #[test]
    fn cluster_names_come_apart() {
        let parts = ClusterName::parse("outbound|9080|v2|reviews.default.svc.cluster.local");
        let host = "reviews.default.svc.cluster.local";
        assert_eq!(parts, Some(ClusterName { port: 9080, subset: "v2", host }));
        assert_eq!(ClusterName::parse("PassthroughCluster"), None);
    }
}
