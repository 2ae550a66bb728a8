//! Virtual services for the same host that do not count, and why.

use pilotage_model::Host;
use pilotage_model::virtual_service::{GatewayRef, VirtualService};

use crate::explain::Scene;
use crate::explanation::{Explanation, Rival};

/// The virtual services whose hosts cover the host that was asked for, but for those whose rules were tried.
pub(crate) fn of(scene: &Scene<'_>, answer: &Explanation) -> Vec<Rival> {
    let asked = answer.host.asked.to_ascii_lowercase();
    let full = answer.host.service.as_deref().unwrap_or(&asked);
    let names = [Host::new(&asked), Host::new(full).lower_cased()];
    let winner = answer.host.rules.as_ref().map(|place| place.object.as_str());
    let winning =
        scene.snapshot.virtual_services.iter().find(|service| {
            winner.is_some_and(|winner| service.origin.object.to_string() == winner)
        });
    let mut rivals = Vec::new();
    for service in &*scene.snapshot.virtual_services {
        let object = service.origin.object.to_string();
        if winner == Some(object.as_str()) {
            continue;
        }
        let Some((index, host)) = covering(service, &names) else { continue };
        let Some(reason) = reason(scene, service, host, winning.map(|w| &**w), &names) else {
            continue;
        };
        rivals.push(Rival {
            place: scene.places.place(&object, &format!("spec.hosts[{index}]")),
            host: host.as_str().to_owned(),
            reason,
        });
    }
    rivals
}

/// The most specific host of a virtual service that covers one of `names`.
fn covering<'v>(service: &'v VirtualService, names: &[Host]) -> Option<(usize, &'v Host)> {
    let covers = |host: &Host| names.iter().any(|name| name.subset_of(host));
    let hosts = service.mesh_hosts.iter().enumerate().filter(|(_, host)| covers(host));
    hosts.min_by(|(_, a), (_, b)| a.by_specificity(b))
}

fn reason(
    scene: &Scene<'_>,
    service: &VirtualService,
    host: &Host,
    winner: Option<&VirtualService>,
    names: &[Host],
) -> Option<String> {
    let view = &scene.simulation.view;
    let bound: Vec<&str> = service.gateways.iter().map(GatewayRef::as_str).collect();
    let here = if view.proxy.is_sidecar() {
        service.is_for_mesh()
    } else {
        view.gateways.iter().any(|gateway| {
            service.is_for_gateway(&format!("{}/{}", gateway.namespace, gateway.name))
        })
    };
    if !here {
        // What is for any host elsewhere is no rival for this one.
        if host.as_str() == "*" {
            return None;
        }
        return Some(if bound == [GatewayRef::MESH] {
            "it is for sidecars only".to_owned()
        } else {
            format!("it is for the gateway {} only", bound.join(" or "))
        });
    }
    let namespace = &view.proxy.namespace;
    if service.visibility.rank(&service.namespace, namespace).is_none() {
        return Some(format!("exportTo hides it from namespace {namespace}"));
    }
    let winner = winner?;
    let (_, winning_host) = covering(winner, names)?;
    if winning_host.by_specificity(host).is_lt() && winning_host != host {
        return Some(format!(
            "its host {} is less specific than {}",
            host.as_str(),
            winning_host.as_str()
        ));
    }
    if winning_host != host {
        return Some("no service of its host is on this port".to_owned());
    }
    if !view.proxy.is_sidecar() {
        return Some("its rules come after those of the older one".to_owned());
    }
    let older = |a: &VirtualService, b: &VirtualService| {
        (a.age, &a.name, &a.namespace) < (b.age, &b.name, &b.namespace)
    };
    let name = format!("{}/{}", winner.namespace, winner.name);
    Some(if winner.age == service.age && older(winner, service) {
        format!(
            "one virtual service counts for a host, and {name} is as old and comes first by name"
        )
    } else if older(winner, service) {
        format!("one virtual service counts for a host, and {name} is older")
    } else {
        format!(
            "one virtual service counts for a host, and {name} comes first in namespace {namespace}"
        )
    })
}
