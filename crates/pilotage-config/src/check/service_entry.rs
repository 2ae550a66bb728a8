//! Rules of a ServiceEntry.

use std::collections::BTreeSet;

use super::checker::Checker;
use super::export_to::{self, Owner};
use super::{hosts, names, ports, selector, workload_entry};
use crate::field_path::FieldPath;
use crate::service_entry::{Resolution, ServiceEntry};

pub(super) fn check(spec: &ServiceEntry, checker: &mut Checker<'_>) {
    let at = FieldPath::spec();
    workloads(spec, &at, checker);
    check_hosts(spec, &at.field("hosts"), checker);
    addresses(spec, &at.field("addresses"), checker);
    check_ports(spec, &at.field("ports"), checker);
    match spec.resolution {
        Resolution::None => resolution_none(spec, &at, checker),
        Resolution::Static => resolution_static(spec, &at.field("endpoints"), checker),
        Resolution::Dns | Resolution::DnsRoundRobin => resolution_dns(spec, &at, checker),
        Resolution::DynamicDns => resolution_dynamic_dns(spec, &at, checker),
    }
    one_host_per_opaque_port(spec, &at, checker);
    export_to::check(&spec.export_to, Owner::ServiceEntry, checker);
}

fn workloads(spec: &ServiceEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(workloads) = &spec.workload_selector else { return };
    if !spec.endpoints.is_empty() {
        checker.error(
            &at.field("workloadSelector"),
            "endpoints are either listed or selected",
            "not beside `endpoints`",
        );
    }
    let at = at.field("workloadSelector").field("labels");
    selector::workload_selector(&workloads.labels, &at, checker);
}

fn check_hosts(spec: &ServiceEntry, list: &FieldPath, checker: &mut Checker<'_>) {
    if spec.hosts.is_empty() {
        checker.error(
            &FieldPath::spec(),
            "a ServiceEntry names at least one host",
            "needs `hosts`",
        );
    }
    for (index, host) in spec.hosts.iter().enumerate() {
        let at = list.index(index);
        if host == "*" {
            checker.error(&at, "a ServiceEntry cannot be for every host", "too wide");
        } else if hosts::wildcard_host(host, &at, checker)
            && host.starts_with('*')
            && !host.starts_with("*.")
            && spec.resolution != Resolution::DynamicDns
        {
            checker.warning(&at, format!("`{host}` matches only as a whole label"), "write `*.…`");
        }
    }
}

fn addresses(spec: &ServiceEntry, list: &FieldPath, checker: &mut Checker<'_>) {
    let ranges_fit = matches!(spec.resolution, Resolution::None | Resolution::Static);
    for (index, address) in spec.addresses.iter().enumerate() {
        let at = list.index(index);
        if let Err(reason) = names::subnet(address) {
            checker.error(
                &at,
                format!("`{address}` is not an address: {reason}"),
                "not an address",
            );
        } else if address.contains('/') && !ranges_fit {
            checker.error(
                &at,
                format!("a range of addresses needs resolution NONE or STATIC: `{address}`"),
                "not with this resolution",
            );
        }
    }
    let opaque = spec.ports.iter().any(|port| ports::is_opaque(&port.protocol));
    // With any other resolution the entry can be given an address; whether it was is looked at with its status.
    if spec.addresses.is_empty() && opaque && spec.resolution == Resolution::None {
        checker.warning(
            &FieldPath::spec(),
            "connections to a TCP port are told apart by address, and this entry has none",
            "needs `addresses`",
        );
    }
}

fn check_ports(spec: &ServiceEntry, list: &FieldPath, checker: &mut Checker<'_>) {
    let mut port_names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (index, port) in spec.ports.iter().enumerate() {
        let at = list.index(index);
        if !port_names.insert(&port.name) {
            checker.error(
                &at.field("name"),
                format!("two ports are called `{}`", port.name),
                "again",
            );
        }
        if !numbers.insert(port.number) {
            checker.error(
                &at.field("number"),
                format!("port {} is listed twice", port.number),
                "again",
            );
        }
        if !names::is_dns_label(&port.name) {
            let message = format!("`{}` is not a name for a port", port.name);
            checker.error(&at.field("name"), message, "letters, digits and dashes");
        }
        if !port.protocol.is_empty() && !ports::is_protocol(&port.protocol) {
            let message = format!("`{}` is not a protocol that Istio knows", port.protocol);
            checker.error(&at.field("protocol"), message, "unknown protocol");
        }
        ports::number(port.number, &at.field("number"), checker);
        ports::optional_number(port.target_port, &at.field("targetPort"), checker);
    }
}

fn resolution_none(spec: &ServiceEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    if !spec.endpoints.is_empty() {
        checker.error(
            &at.field("endpoints"),
            "with resolution NONE requests go where the client dialled, so endpoints are not used",
            "not with resolution NONE",
        );
        checker.help("write `resolution: STATIC`, or DNS if the endpoints are names");
    }
    if spec.workload_selector.is_some() {
        checker.warning(
            &at.field("workloadSelector"),
            "with resolution NONE requests go where the client dialled, so nothing is selected",
            "has no effect",
        );
    }
}

fn resolution_static(spec: &ServiceEntry, list: &FieldPath, checker: &mut Checker<'_>) {
    for (index, entry) in spec.endpoints.iter().enumerate() {
        let at = list.index(index);
        let address = entry.address.as_str();
        if address.is_empty() {
            workload_entry::missing_address(entry, &at, checker);
        } else if let Some(path) = address.strip_prefix("unix://") {
            workload_entry::unix(entry, path, &at, checker);
            if spec.ports.len() != 1 {
                checker.error(
                    &at,
                    "a unix socket stands for exactly one port",
                    "the entry has others",
                );
            }
        } else if !names::is_ip(address) {
            let at = at.field("address");
            checker.error(&at, format!("`{address}` is not an IP address"), "not with STATIC");
            checker.help("names are looked up with `resolution: DNS`");
        }
        known_ports(spec, index, &at, checker);
        selector::labels(&entry.labels, &at.field("labels"), checker);
    }
}

fn resolution_dns(spec: &ServiceEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    if spec.endpoints.is_empty() {
        for (index, host) in spec.hosts.iter().enumerate() {
            if names::host_name(host).is_err() {
                checker.error(
                    &at.field("hosts").index(index),
                    format!("`{host}` cannot be looked up: with resolution DNS and no endpoints it has to \
                             be a full host name"),
                    "not a full name",
                );
            }
        }
    }
    if spec.resolution == Resolution::DnsRoundRobin && spec.endpoints.len() > 1 {
        checker.error(
            &at.field("endpoints"),
            "DNS_ROUND_ROBIN takes one endpoint",
            "more than one",
        );
    }
    for (index, entry) in spec.endpoints.iter().enumerate() {
        let at = at.field("endpoints").index(index);
        let address = entry.address.as_str();
        if address.is_empty() {
            workload_entry::missing_address(entry, &at, checker);
        } else if !names::is_ip(address) && names::host_name(address).is_err() {
            let message = format!("`{address}` is neither an IP address nor a full host name");
            checker.error(&at.field("address"), message, "not an address");
        }
        known_ports(spec, index, &at, checker);
        selector::labels(&entry.labels, &at.field("labels"), checker);
    }
    let opaque = spec.ports.iter().any(|port| !ports::is_plain_http(&port.protocol));
    if !spec.addresses.is_empty() && opaque && spec.hosts.len() > 1 {
        checker.warning(
            &at.field("hosts"),
            "several hosts share an address, and TCP connections do not say which they mean",
            "cannot be told apart",
        );
    }
}

fn known_ports(spec: &ServiceEntry, index: usize, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(entry) = spec.endpoints.get(index) else { return };
    for (name, port) in &entry.ports {
        let at = at.field("ports").field(name);
        if !spec.ports.iter().any(|known| known.name == *name) {
            let message = format!("`{name}` is not a port of this ServiceEntry");
            checker.error(&at, message, "unknown port");
        }
        ports::number(*port, &at, checker);
    }
}

fn resolution_dynamic_dns(spec: &ServiceEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, host) in spec.hosts.iter().enumerate() {
        if !host.starts_with('*') {
            let message = format!("DYNAMIC_DNS is for wildcard hosts, and `{host}` is none");
            checker.error(&at.field("hosts").index(index), message, "use DNS");
        }
    }
    for (field, is_set) in
        [("addresses", !spec.addresses.is_empty()), ("endpoints", !spec.endpoints.is_empty())]
    {
        if is_set {
            let message =
                format!("with DYNAMIC_DNS the requested name says where to go, not `{field}`");
            checker.error(&at.field(field), message, "not with DYNAMIC_DNS");
        }
    }
    for (index, port) in spec.ports.iter().enumerate() {
        let fits = ["HTTP", "TLS", "GRPC", "HTTP2"];
        if !fits.iter().any(|known| known.eq_ignore_ascii_case(&port.protocol)) {
            checker.error(
                &at.field("ports").index(index).field("protocol"),
                "DYNAMIC_DNS needs a protocol that names its host: HTTP, HTTP2, GRPC or TLS",
                "names no host",
            );
        }
    }
}

fn one_host_per_opaque_port(spec: &ServiceEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    if spec.hosts.len() < 2 || spec.resolution == Resolution::None {
        return;
    }
    for (index, port) in spec.ports.iter().enumerate() {
        let names_host = ports::is_plain_http(&port.protocol) || ports::is_tls(&port.protocol);
        if !names_host && !spec.addresses.is_empty() {
            continue;
        }
        if !names_host {
            checker.error(
                &at.field("ports").index(index),
                "connections of this protocol name no host, so one entry can hold only one",
                "more than one host",
            );
        }
    }
}
