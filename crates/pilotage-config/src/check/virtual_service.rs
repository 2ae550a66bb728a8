//! Rules of a VirtualService as a whole.

use super::checker::Checker;
use super::export_to::{self, Owner};
use super::scope::Scope;
use super::{gateway_names, hosts, http_route, l4_routes, names, unreachable};
use crate::field_path::FieldPath;
use crate::virtual_service::VirtualService;

pub(super) fn check(spec: &VirtualService, checker: &mut Checker<'_>) {
    let at = FieldPath::spec();
    let scope = Scope::of(spec);
    if scope.is_delegate {
        check_delegate(spec, checker);
    }
    gateway_names::check(&spec.gateways, &at.field("gateways"), checker);
    gateway_names::check_old(&spec.gateways, &at.field("gateways"), checker);
    check_hosts(spec, scope, checker);
    if spec.http.is_empty() && spec.tls.is_empty() && spec.tcp.is_empty() {
        checker.error(&at, "a VirtualService needs rules: `http`, `tls` or `tcp`", "no rules");
    }
    for (index, route) in spec.http.iter().enumerate() {
        http_route::check(route, scope, &at.field("http").index(index), checker);
    }
    for (index, route) in spec.tls.iter().enumerate() {
        l4_routes::check_tls(route, &spec.hosts, &at.field("tls").index(index), checker);
    }
    for (index, route) in spec.tcp.iter().enumerate() {
        l4_routes::check_tcp(route, &at.field("tcp").index(index), checker);
    }
    export_to::check(&spec.export_to, Owner::Other, checker);
    unreachable::check_http(&spec.http, checker);
    unreachable::check_tls(&spec.tls, checker);
    unreachable::check_tcp(&spec.tcp, checker);
}

fn check_delegate(spec: &VirtualService, checker: &mut Checker<'_>) {
    let present = [
        ("gateways", spec.gateways.is_empty()),
        ("tls", spec.tls.is_empty()),
        ("tcp", spec.tcp.is_empty()),
    ];
    for (field, is_empty) in present {
        if !is_empty {
            checker.error(
                &FieldPath::spec().field(field),
                format!("a VirtualService without hosts is a delegate, and cannot have `{field}`"),
                "not in a delegate",
            );
            checker.help(
                "add `hosts`, or leave this to the VirtualService that delegates to this one",
            );
        }
    }
}

fn check_hosts(spec: &VirtualService, scope: Scope, checker: &mut Checker<'_>) {
    let list = FieldPath::spec().field("hosts");
    let has_sni = spec.tls.iter().flat_map(|t| &t.match_).any(|m| !m.sni_hosts.is_empty());
    let mut all_valid = true;
    for (index, host) in spec.hosts.iter().enumerate() {
        let at = list.index(index);
        if names::is_ip(host) || (!scope.is_mesh && has_sni && is_sni_cluster(host)) {
            continue;
        }
        if !hosts::wildcard_host(host, &at, checker) {
            all_valid = false;
        } else if host == "*" && scope.is_mesh {
            checker.error(
                &at,
                "host `*` is for gateways only: sidecars would send everything here",
                "not with gateway `mesh`",
            );
            checker
                .help("name the hosts, or list the gateways that this is for in `spec.gateways`");
            all_valid = false;
        }
    }
    if all_valid {
        hosts_are_distinct(&spec.hosts, &list, checker);
    }
}

fn hosts_are_distinct(hosts: &[String], list: &FieldPath, checker: &mut Checker<'_>) {
    for (second, host) in hosts.iter().enumerate() {
        let first = hosts.iter().take(second).position(|earlier| hosts::overlap(earlier, host));
        if let Some(first) = first {
            checker.error(
                &list.index(second),
                format!("host `{host}` is covered by another host of the list already"),
                "again",
            );
            checker.also_at(&list.index(first), "this one");
        }
    }
}

/// The server name that stands for a cluster: `outbound_.<port>_.<subset>_.<host>`.
fn is_sni_cluster(host: &str) -> bool {
    let mut parts = host.splitn(4, "_.");
    parts.next() == Some("outbound")
        && parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
        && parts.next().is_some()
        && parts.next().is_some_and(|host| names::host_name(host).is_ok())
}
