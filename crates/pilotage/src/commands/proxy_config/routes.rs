//! Routes as a table, with istioctl's columns.

use std::net::IpAddr;

use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::envoy::config::route::v3::route_match::PathSpecifier;
use pilotage_proto::envoy::config::route::v3::{Route, RouteMatch, VirtualHost};

use super::object_of;
use crate::output::Table;

/// Domains shown before the rest is only counted.
const SHOWN_DOMAINS: usize = 2;

/// One row for each route, in the order in which the proxy tries them.
pub(super) fn table(resources: &ResourceSet) -> Table<5> {
    let mut table = Table::new(["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"]);
    let mut configs: Vec<_> = resources.routes.values().collect();
    // Numeric names in the order of the ports, before all others.
    configs.sort_by_key(|c| (c.name.parse::<u32>().unwrap_or(u32::MAX), c.name.clone()));
    for config in configs {
        for host in &config.virtual_hosts {
            if host.routes.is_empty() {
                let row = [&config.name, &host.name, &domains(host), "", "404"];
                table.push(row.map(str::to_owned));
            }
            for route in &host.routes {
                let metadata = Metadata::of_route(&route.metadata);
                let service = object_of(metadata.as_ref(), "virtual-service");
                table.push([
                    config.name.clone(),
                    host.name.clone(),
                    domains(host),
                    match_text(route),
                    service.unwrap_or_default(),
                ]);
            }
        }
    }
    table
}

/// The shortest domains, which are what people type.
fn domains(host: &VirtualHost) -> String {
    let mut domains: Vec<&str> = host.domains.iter().map(String::as_str).collect();
    domains.sort_by_key(|domain| (domain.parse::<IpAddr>().is_ok(), domain.len()));
    let mut text = domains.iter().take(SHOWN_DOMAINS).copied().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = domains.len().checked_sub(SHOWN_DOMAINS) {
        text.push_str(&format!(" + {more} more..."));
    }
    text
}

/// The path of a route in few words: `/*` for every path, `/api*` for a prefix; `…` when more must hold.
pub(super) fn match_text(route: &Route) -> String {
    let Some(matches) = &route.r#match else { return String::new() };
    let path = match &matches.path_specifier {
        Some(PathSpecifier::Prefix(prefix)) => format!("{prefix}*"),
        Some(PathSpecifier::Path(path)) => path.clone(),
        Some(PathSpecifier::SafeRegex(regex)) => format!("regex {}", regex.regex),
        Some(PathSpecifier::PathSeparatedPrefix(prefix)) => format!("PathPrefix:{prefix}"),
        _ => "/*".to_owned(),
    };
    if has_more(matches) { format!("{path} …") } else { path }
}

fn has_more(matches: &RouteMatch) -> bool {
    !matches.headers.is_empty() || !matches.query_parameters.is_empty()
}
