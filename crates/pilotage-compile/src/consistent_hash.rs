//! Affinity by hash: what of a request the hash is made of. The hash policy stands on routes; which hosts a hash leads
//! to is a matter of the cluster.

use pilotage_config::destination_rule::{ConsistentHash, LoadBalancerSettings, PortTrafficPolicy};
use pilotage_config::virtual_service::Destination;
use pilotage_model::destination_rule::DestinationRule;
use pilotage_proto::envoy::config::route::v3::route_action::HashPolicy;
use pilotage_proto::envoy::config::route::v3::route_action::hash_policy::{
    ConnectionProperties, Cookie, CookieAttribute, Header, PolicySpecifier, QueryParameter,
};

use crate::proto_ext::duration;

/// The hash policy of a rule's destination, from the rule for its host.
///
/// Of subset and host, port and all ports, the most specific one that hashes counts; one that balances otherwise does
/// not take the hash away, although the cluster then ignores it. Settings of a port count only when the destination
/// names the port.
pub(crate) fn of_destination(
    rule: &DestinationRule,
    destination: &Destination,
) -> Option<HashPolicy> {
    let port = destination.port.as_ref().map(|port| port.number);
    let subset = rule.subset(&destination.subset);
    let of_subset = subset.and_then(|subset| subset.traffic_policy.as_ref());
    let of_rule = rule.traffic_policy.as_deref();
    let chosen = of_subset
        .and_then(|policy| hash_of_port(&policy.port_level_settings, port?))
        .or_else(|| hash(of_subset?.load_balancer.as_ref()))
        .or_else(|| hash_of_port(&of_rule?.port_level_settings, port?))
        .or_else(|| hash(of_rule?.load_balancer.as_ref()))?;
    policy(chosen)
}

/// The hash policy of the route that a service has without any rules, on one of its ports.
pub(crate) fn of_service(rule: &DestinationRule, port: u16) -> Option<HashPolicy> {
    let settings = rule.traffic_policy.as_deref()?;
    let of_port = hash_of_port(&settings.port_level_settings, port.into());
    policy(of_port.or_else(|| hash(settings.load_balancer.as_ref()))?)
}

fn hash_of_port(settings: &[PortTrafficPolicy], port: u32) -> Option<&ConsistentHash> {
    let is_it = |entry: &&PortTrafficPolicy| entry.port.as_ref().is_some_and(|p| p.number == port);
    hash(settings.iter().find(is_it)?.load_balancer.as_ref())
}

fn hash(settings: Option<&LoadBalancerSettings>) -> Option<&ConsistentHash> {
    settings?.consistent_hash.as_ref()
}

fn policy(hash: &ConsistentHash) -> Option<HashPolicy> {
    let specifier = if let Some(name) = &hash.http_header_name {
        PolicySpecifier::Header(Header { header_name: name.clone(), regex_rewrite: None })
    } else if let Some(cookie) = &hash.http_cookie {
        let attributes = cookie.attributes.iter().map(|attribute| CookieAttribute {
            name: attribute.name.clone(),
            value: attribute.value.clone(),
        });
        PolicySpecifier::Cookie(Cookie {
            name: cookie.name.clone(),
            ttl: cookie.ttl.map(duration),
            path: cookie.path.clone(),
            attributes: attributes.collect(),
        })
    } else if let Some(source_ip) = hash.use_source_ip {
        PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip })
    } else if let Some(name) = &hash.http_query_parameter_name {
        PolicySpecifier::QueryParameter(QueryParameter { name: name.clone() })
    } else {
        return None;
    };
    Some(HashPolicy { terminal: false, policy_specifier: Some(specifier) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{given, sidecar};

    const RULE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: rule}}
    portLevelSettings: [{port: {number: 80}, loadBalancer: {consistentHash: {httpHeaderName: port}}}]
  subsets:
  - {name: own, labels: {v: a}, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: own}}}}
  - {name: other, labels: {v: b}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
";

    /// The header that is hashed for a destination.
    fn hashed(subset: &str, port: Option<u32>) -> Option<String> {
        let view = given(RULE, &sidecar("shop", "10.1.9.1"));
        let rule = view.service("web.shop.svc.cluster.local")?.rule.clone()?;
        let destination = Destination {
            host: "web.shop.svc.cluster.local".into(),
            subset: subset.into(),
            port: port.map(|number| pilotage_config::virtual_service::PortSelector { number }),
        };
        match of_destination(&rule, &destination)?.policy_specifier? {
            PolicySpecifier::Header(header) => Some(header.header_name),
            _ => None,
        }
    }

    #[test]
    fn the_closest_hash_counts_and_a_port_only_when_named() {
        assert_eq!(hashed("", None).as_deref(), Some("rule"));
        assert_eq!(hashed("", Some(80)).as_deref(), Some("port"));
        assert_eq!(hashed("own", Some(80)).as_deref(), Some("own"));
        assert_eq!(hashed("own", None).as_deref(), Some("own"));
    }

    #[test]
    fn a_subset_that_balances_otherwise_keeps_the_hash_of_the_route() {
        assert_eq!(hashed("other", None).as_deref(), Some("rule"));
    }
}
