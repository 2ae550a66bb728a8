//! What the host of a request stands for.

use std::collections::BTreeSet;

use pilotage_config::decode::nearest;
use pilotage_model::service::Service;

use crate::explain::Scene;
use crate::explanation::{Explanation, HostAnswer};

/// Routes for hosts that nobody has.
const FOR_UNKNOWN: [&str; 3] = ["allow_any", "block_all", "allow_any_dynamic_dns"];

/// Whether the request met the routes for hosts that nobody has.
pub(crate) fn is_unknown(answer: &Explanation) -> bool {
    let for_unknown = |name: &str| FOR_UNKNOWN.contains(&name);
    let passed = |name: &str| ["PassthroughCluster", "BlackHoleCluster"].contains(&name);
    answer.virtual_host.as_deref().is_some_and(for_unknown)
        || answer.clusters.iter().any(|cluster| passed(&cluster.name))
}

/// The service behind the host, the rules that count for it, and when there is neither, what is most like it.
pub(crate) fn answer(scene: &Scene<'_>, told: &Explanation) -> HostAnswer {
    let mut host = told.host.clone();
    let service = service(scene, &host);
    if let Some(service) = service {
        host.service = Some(service.host.as_str().to_owned());
        host.ports = service.ports.iter().map(|port| port.number).collect();
        host.place = Some(scene.places.of(&service.origin));
    }
    let of_object = |place: &crate::explanation::Place| scene.places.place(&place.object, "");
    let rule = told.rule.as_ref().or_else(|| told.trace.first().map(|tried| &tried.rule));
    let place = rule.and_then(|rule| rule.via.as_ref().or(rule.place.as_ref()));
    host.rules = place.map(of_object);
    if host.service.is_none() && host.rules.is_none() {
        let mut names = known(scene);
        // That it exists and does not count here is told by the rivals.
        names.remove(&host.asked.to_ascii_lowercase());
        host.nearest = nearest(&host.asked, names.iter().map(String::as_str)).map(str::to_owned);
    }
    host
}

/// The service that a host means to the proxy: that of the wildcard whose domain it met, else by its full name, or a part
/// of it as Kubernetes completes it.
fn service<'s>(scene: &'s Scene<'_>, told: &HostAnswer) -> Option<&'s Service> {
    let view = &scene.simulation.view;
    let host = told.asked.trim_end_matches('.').to_ascii_lowercase();
    let services = || view.clusters.iter().map(|view| &*view.service);
    let wildcard = told.domain.as_deref().filter(|domain| domain.starts_with("*."));
    let met = wildcard.and_then(|domain| services().find(|s| s.host.as_str() == domain));
    if met.is_some() {
        return met;
    }
    let domain = view.mesh.domain();
    let forms = [
        host.clone(),
        format!("{host}.{}.svc.{domain}", view.proxy.namespace),
        format!("{host}.svc.{domain}"),
        format!("{host}.{domain}"),
    ];
    let named = forms.iter().find_map(|form| {
        services().find(|service| service.host.as_str().eq_ignore_ascii_case(form))
    });
    named.or_else(|| {
        let address: std::net::IpAddr = host.parse().ok()?;
        let has = |service: &&Service| {
            service.addresses.iter().any(|known| known.to_string() == address.to_string())
        };
        services().find(has)
    })
}

/// The hosts that requests of the proxy may name.
pub(crate) fn known(scene: &Scene<'_>) -> BTreeSet<String> {
    let view = &scene.simulation.view;
    let mut names = BTreeSet::new();
    let sidecar = view.proxy.is_sidecar();
    // A gateway knows the hosts of its virtual services; behind them it is the rules that count.
    for service in view.clusters.iter().map(|view| &view.service).filter(|_| sidecar) {
        let host = service.host.as_str();
        names.insert(host.to_owned());
        if service.is_kubernetes() {
            names.insert(format!("{}.{}", service.name, service.namespace));
            if service.namespace == view.proxy.namespace {
                names.insert(service.name.to_string());
            }
        }
    }
    let virtual_services = scene.snapshot.virtual_services.iter();
    let here = virtual_services.filter(|service| service.is_for_mesh() == sidecar);
    for host in here.flat_map(|service| &service.hosts) {
        if !host.is_wildcard() {
            names.insert(host.as_str().to_owned());
        }
    }
    names
}
