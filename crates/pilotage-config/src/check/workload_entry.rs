//! Rules of a WorkloadEntry, alone or inside a ServiceEntry.

use super::checker::Checker;
use super::{gateway, names, ports, selector};
use crate::field_path::FieldPath;
use crate::workload_entry::WorkloadEntry;

pub(super) fn check_object(spec: &WorkloadEntry, checker: &mut Checker<'_>) {
    check(spec, &FieldPath::spec(), checker);
}

/// An entry whose address may be an IP address, a host name or a unix socket.
pub(super) fn check(entry: &WorkloadEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    let at_address = at.field("address");
    let address = entry.address.as_str();
    if address.is_empty() {
        missing_address(entry, at, checker);
    } else if let Some(path) = address.strip_prefix("unix://") {
        unix(entry, path, at, checker);
    } else if !names::is_ip(address) && names::host_name(address).is_err() {
        let message = format!("`{address}` is neither an IP address nor a host name");
        checker.error(&at_address, message, "not an address");
    }
    entry_ports(entry, at, checker);
    selector::labels(&entry.labels, &at.field("labels"), checker);
}

/// Without an address, only the gateway of the entry's network can be reached.
pub(super) fn missing_address(entry: &WorkloadEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    if entry.network.is_empty() {
        checker.error(at, format!("`{at}` has no address"), "needs `address`");
    } else {
        let message = format!("reached only through the gateway of network `{}`", entry.network);
        checker.warning(at, message, "no `address`");
    }
}

/// A unix socket has a path and no ports.
pub(super) fn unix(entry: &WorkloadEntry, path: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    gateway::unix_path(path, &at.field("address"), checker);
    if !entry.ports.is_empty() {
        checker.error(&at.field("ports"), "a unix socket has no ports", "remove them");
    }
}

pub(super) fn entry_ports(entry: &WorkloadEntry, at: &FieldPath, checker: &mut Checker<'_>) {
    for (name, port) in &entry.ports {
        let at = at.field("ports").field(name);
        if !names::is_dns_label(name) {
            checker.error(&at, format!("`{name}` is not a name for a port"), "not a port name");
        }
        ports::number(*port, &at, checker);
    }
}
