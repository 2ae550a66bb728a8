//! Rules of a DestinationRule.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::export_to::{self, Owner};
use super::{
    client_tls, connection_pool, hosts, load_balancing, names, outlier_detection, ports, selector,
};
use crate::destination_rule::{DestinationRule, PortTrafficPolicy, TrafficPolicy, TunnelSettings};
use crate::field_path::FieldPath;

pub(super) fn check(spec: &DestinationRule, checker: &mut Checker<'_>) {
    let at = FieldPath::spec();
    hosts::wildcard_host(&spec.host, &at.field("host"), checker);
    if let Some(policy) = &spec.traffic_policy {
        traffic_policy(policy, false, &at.field("trafficPolicy"), checker);
    }
    subsets(spec, &at.field("subsets"), checker);
    let owner = if spec.workload_selector.is_some() { Owner::SelectingRule } else { Owner::Other };
    export_to::check(&spec.export_to, owner, checker);
    if let Some(workloads) = &spec.workload_selector {
        let at = at.field("workloadSelector").field("matchLabels");
        selector::workload_selector(&workloads.match_labels, &at, checker);
    }
}

fn subsets(spec: &DestinationRule, list: &FieldPath, checker: &mut Checker<'_>) {
    let mut seen = BTreeSet::new();
    // A subset inherits the block from the rule.
    let ejects = spec.traffic_policy.as_ref().is_some_and(|p| p.outlier_detection.is_some());
    for (index, subset) in spec.subsets.iter().enumerate() {
        let at = list.index(index);
        if !seen.insert(subset.name.as_str()) {
            checker.error(
                &at.field("name"),
                format!("subset `{}` is defined twice", subset.name),
                "again",
            );
        }
        if !names::is_dns_label(&subset.name) {
            let message = if subset.name.is_empty() {
                "a subset needs a name".to_owned()
            } else {
                format!("`{}` is not a name for a subset", subset.name)
            };
            checker.error(&at.field("name"), message, "letters, digits and dashes");
        }
        selector::labels(&subset.labels, &at.field("labels"), checker);
        if let Some(policy) = &subset.traffic_policy {
            traffic_policy(policy, ejects, &at.field("trafficPolicy"), checker);
        }
    }
}

fn traffic_policy(policy: &TrafficPolicy, ejects: bool, at: &FieldPath, checker: &mut Checker<'_>) {
    let is_empty = policy.load_balancer.is_none()
        && policy.connection_pool.is_none()
        && policy.outlier_detection.is_none()
        && policy.tls.is_none()
        && policy.port_level_settings.is_empty()
        && policy.tunnel.is_none()
        && policy.proxy_protocol.is_none()
        && policy.retry_budget.is_none();
    if is_empty {
        checker.error(at, "a traffic policy has to say something", "empty");
    }
    if policy.tunnel.is_some() && policy.proxy_protocol.is_some() {
        checker.error(
            &at.field("proxyProtocol"),
            "`tunnel` and `proxyProtocol` cannot stand together",
            "one of them",
        );
    }
    Blocks {
        load_balancer: policy.load_balancer.as_ref(),
        connection_pool: policy.connection_pool.as_ref(),
        outlier_detection: policy.outlier_detection.as_ref(),
        tls: policy.tls.as_ref(),
    }
    .check(ejects, at, checker);
    if let Some(tunnel) = &policy.tunnel {
        check_tunnel(tunnel, &at.field("tunnel"), checker);
    }
    for (index, port) in policy.port_level_settings.iter().enumerate() {
        check_port(port, &at.field("portLevelSettings").index(index), checker);
    }
}

/// The four blocks that a policy has for all ports and for single ones.
struct Blocks<'a> {
    load_balancer: Option<&'a crate::destination_rule::LoadBalancerSettings>,
    connection_pool: Option<&'a crate::destination_rule::ConnectionPoolSettings>,
    outlier_detection: Option<&'a crate::destination_rule::OutlierDetection>,
    tls: Option<&'a crate::destination_rule::ClientTlsSettings>,
}

impl Blocks<'_> {
    fn check(&self, ejects: bool, at: &FieldPath, checker: &mut Checker<'_>) {
        if let Some(settings) = self.outlier_detection {
            outlier_detection::check(settings, &at.field("outlierDetection"), checker);
        }
        if let Some(settings) = self.connection_pool {
            connection_pool::check(settings, &at.field("connectionPool"), checker);
        }
        if let Some(settings) = self.load_balancer {
            let has_outlier_detection = ejects || self.outlier_detection.is_some();
            load_balancing::check(
                settings,
                has_outlier_detection,
                &at.field("loadBalancer"),
                checker,
            );
        }
        if let Some(settings) = self.tls {
            client_tls::check(settings, &at.field("tls"), checker);
        }
    }
}

fn check_port(policy: &PortTrafficPolicy, at: &FieldPath, checker: &mut Checker<'_>) {
    if policy.port.is_none() {
        checker.error(at, "an entry of `portLevelSettings` is for one port", "needs `port`");
    }
    let blocks = Blocks {
        load_balancer: policy.load_balancer.as_ref(),
        connection_pool: policy.connection_pool.as_ref(),
        outlier_detection: policy.outlier_detection.as_ref(),
        tls: policy.tls.as_ref(),
    };
    let is_empty = blocks.load_balancer.is_none()
        && blocks.connection_pool.is_none()
        && blocks.outlier_detection.is_none()
        && blocks.tls.is_none();
    if is_empty {
        checker.error(at, "the policy of a port has to say something", "empty");
    }
    blocks.check(false, at, checker);
}

fn check_tunnel(tunnel: &TunnelSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    if !matches!(tunnel.protocol.as_str(), "" | "CONNECT" | "POST") {
        checker.error(&at.field("protocol"), "a tunnel is made with CONNECT or POST", "unknown");
    }
    if !names::is_ip(&tunnel.target_host) {
        hosts::host_name(&tunnel.target_host, &at.field("targetHost"), checker);
    }
    ports::number(tunnel.target_port, &at.field("targetPort"), checker);
}
