//! Rules of the virtual service that has the host, but are not there for this proxy: nothing tries them.

use std::collections::BTreeSet;

use pilotage_config::Kind;
use pilotage_config::virtual_service::{HttpMatchRequest, HttpRoute};
use pilotage_engine::origin::Origin;
use pilotage_model::labels::{selector_text, selects};
use pilotage_model::virtual_service::GatewayRef;

use crate::explain::Scene;
use crate::explanation::{AbsentRule, Explanation};

/// Those before the rule that takes the request; all, where none does.
pub(crate) fn of(scene: &Scene<'_>, answer: &Explanation) -> Vec<AbsentRule> {
    let Some(place) = &answer.host.rules else { return Vec::new() };
    let Some(object) = scene.places.object(&place.object) else { return Vec::new() };
    let Kind::VirtualService(service) = &object.body else { return Vec::new() };
    let tried: BTreeSet<usize> = answer.trace.iter().map(|tried| tried.rule.number).collect();
    let last = answer.rule.as_ref().map_or(usize::MAX, |rule| rule.number);
    let mut absent = Vec::new();
    for (index, rule) in service.http.iter().enumerate() {
        let number = index + 1;
        if number >= last || tried.contains(&number) {
            continue;
        }
        let Some(reason) = reason(scene, rule, object.namespace()) else { continue };
        let origin =
            Origin { object: place.object.clone(), path: format!("spec.http[{index}]"), via: None };
        absent.push(AbsentRule { rule: scene.places.rule(&origin, &rule.name), reason });
    }
    absent
}

fn reason(scene: &Scene<'_>, rule: &HttpRoute, namespace: &str) -> Option<String> {
    let mut reasons: Vec<String> = Vec::new();
    for block in &rule.match_ {
        let Some(reason) = elsewhere(scene, block, namespace) else {
            reasons.clear();
            break;
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    match (reasons.as_slice(), &rule.delegate) {
        ([], Some(_)) => Some("nothing is left of the rules that it delegates to".to_owned()),
        ([], None) => None,
        (reasons, _) => Some(format!("only {}", reasons.join(" or "))),
    }
}

/// Where a block holds, if that is not here.
fn elsewhere(scene: &Scene<'_>, block: &HttpMatchRequest, namespace: &str) -> Option<String> {
    let view = &scene.simulation.view;
    let (proxy, port) = (&view.proxy, scene.question.arrival.destination.port());
    let is_here = |name: &String| {
        let gateway = GatewayRef::parse(name, namespace);
        if proxy.is_sidecar() {
            return gateway.as_str() == GatewayRef::MESH;
        }
        let is_it = |name: String| name == gateway.as_str();
        view.gateways.iter().any(|known| is_it(format!("{}/{}", known.namespace, known.name)))
    };
    if !block.gateways.is_empty() && !block.gateways.iter().any(is_here) {
        let name = |name: &String| match name.as_str() {
            GatewayRef::MESH => "sidecars".to_owned(),
            name => format!("the gateway {name}"),
        };
        let names: Vec<String> = block.gateways.iter().map(name).collect();
        return Some(format!("for {}", names.join(" or ")));
    }
    if !block.source_namespace.is_empty() && *block.source_namespace != *proxy.namespace {
        return Some(format!("for clients in namespace {}", block.source_namespace));
    }
    if !selects(&block.source_labels, &proxy.labels) {
        let labels = selector_text(&block.source_labels).replace(',', ", ");
        return Some(format!("for clients with {labels}"));
    }
    (block.port != 0 && block.port != u32::from(port)).then(|| format!("on port {}", block.port))
}
