//! What hosts are called, by people and by clients.

use crate::hosts::HostGroup;
use crate::outcome::short;
use crate::place::Place;

/// A host of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// The name that people use; `any other host` where no name is known.
    pub name: String,
    /// The port, where it is not that of the scheme.
    pub port: Option<u16>,
    /// Whether requests come to the workload beside the proxy.
    pub inbound: bool,
    /// All domains.
    pub domains: Vec<String>,
}

/// The name of a group for people, with its port where that is not the one of the scheme.
pub(crate) fn named(place: &Place, group: &HostGroup) -> Host {
    let usual = if place.tls { 443 } else { 80 };
    let port = place.port().filter(|port| *port != usual);
    let domains: Vec<String> = group.domains.iter().map(|(domain, _)| domain.clone()).collect();
    let is_address = |name: &str| {
        name.starts_with('[') || name.split('.').all(|part| part.parse::<u8>().is_ok())
    };
    let shortest = domains
        .iter()
        .filter(|name| !name.ends_with('.') && *name != "*" && !is_address(name))
        .min_by_key(|name| (name.contains('*'), name.len()));
    let name = match (shortest, place.only_host()) {
        (Some(name), _) => name.clone(),
        (None, Some(host)) => short(host).to_owned(),
        (None, None) => match domains.iter().find(|name| *name != "*") {
            Some(name) => name.clone(),
            None if place.inbound
                || domains.len() == 1 && place.table.virtual_hosts().count() == 1 =>
            {
                "any host".to_owned()
            }
            None => "any other host".to_owned(),
        },
    };
    Host { name, port, inbound: place.inbound, domains }
}

/// What a client that asks for the group writes as its host.
pub(crate) fn authority(place: &Place, group: &HostGroup, host: &Host) -> String {
    let known = group.domains.iter().find(|(domain, _)| *domain == host.name);
    let found = known.or(group.domains.first()).map(|(_, example)| example.as_str());
    let name = match (known, place.only_host()) {
        (None, Some(only)) => short(only),
        _ => found.unwrap_or("any.example"),
    };
    match host.port {
        Some(port) if place.table.ignores_port() => format!("{name}:{port}"),
        _ => name.to_owned(),
    }
}
