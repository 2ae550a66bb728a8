//! Rules of `tls[]` and `tcp[]` entries.

use super::checker::Checker;
use super::{any_match, destination, hosts, names};
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{RouteDestination, TcpRoute, TlsMatchAttributes, TlsRoute};

pub(super) fn check_tls(
    route: &TlsRoute,
    service_hosts: &[String],
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if route.match_.is_empty() {
        checker.error(at, "a tls rule has to say which server names it is for", "needs a `match`");
    }
    for (index, block) in route.match_.iter().enumerate() {
        let at = at.field("match").index(index);
        sni_hosts(block, service_hosts, &at, checker);
        subnets(&block.destination_subnets, &at, checker);
        any_match::check(block, &at, checker);
    }
    destinations(&route.route, at, checker);
}

fn sni_hosts(
    block: &TlsMatchAttributes,
    service_hosts: &[String],
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if block.sni_hosts.is_empty() {
        checker.error(at, "a tls match needs at least one server name", "needs `sniHosts`");
    }
    for (index, sni) in block.sni_hosts.iter().enumerate() {
        let at = at.field("sniHosts").index(index);
        if names::is_ip(sni) {
            checker.warning(&at, "clients do not send an IP address as server name", "never sent");
        } else if !hosts::wildcard_host(sni, &at, checker) {
            continue;
        }
        if !service_hosts.iter().any(|host| hosts::covered_by(sni, host)) {
            checker.error(
                &at,
                format!("`{sni}` is not covered by any host of this VirtualService"),
                "add it to `spec.hosts`",
            );
        }
    }
}

pub(super) fn check_tcp(route: &TcpRoute, at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, block) in route.match_.iter().enumerate() {
        let at = at.field("match").index(index);
        subnets(&block.destination_subnets, &at, checker);
        any_match::check(block, &at, checker);
        if !block.source_subnet.is_empty() {
            checker.problem(
                codes::PIL0010,
                &at.field("sourceSubnet"),
                "`sourceSubnet` is documented but does nothing, on Istio as here",
                "has no effect",
            );
        }
    }
    destinations(&route.route, at, checker);
}

fn subnets(subnets: &[String], at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, subnet) in subnets.iter().enumerate() {
        if let Err(reason) = names::subnet(subnet) {
            let at = at.field("destinationSubnets").index(index);
            checker.error(
                &at,
                format!("`{subnet}` is not an address range: {reason}"),
                "not a range",
            );
        }
    }
}

fn destinations(routes: &[RouteDestination], at: &FieldPath, checker: &mut Checker<'_>) {
    if routes.is_empty() {
        checker.error(
            at,
            format!("`{at}` says nothing about where connections go"),
            "needs a `route`",
        );
    }
    let at = at.field("route");
    for (index, entry) in routes.iter().enumerate() {
        let at = at.index(index);
        destination::weighted(entry.destination.as_ref(), entry.weight, &at, checker);
    }
    destination::weights_add_up(routes.iter().map(|entry| entry.weight), &at, checker);
}
