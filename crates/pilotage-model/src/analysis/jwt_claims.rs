//! Rules about claims of a JWT at gateways whose pods read no tokens (IST0149).

use std::collections::BTreeMap;

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::{CLAIMS, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::shared_gateways::gateways;
use super::{Context, ROOT_NAMESPACE, virtual_services};
use crate::labels::{Labels, selects};

/// One problem for each gateway pod that such a rule applies to in vain.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let by_name: BTreeMap<(&str, &str), &Labels> = gateways(objects)
        .into_iter()
        .map(|(object, gateway)| ((object.namespace(), object.name()), &gateway.selector))
        .collect();
    let policies = policies(objects);
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(objects) {
        let Some((claim, path)) = first_claim(spec) else { continue };
        for name in spec.gateways.iter().filter(|name| *name != "mesh") {
            let wanted = name.split_once('/').unwrap_or((object.namespace(), name));
            let Some(selector) = by_name.get(&wanted) else { continue };
            let pods = context.pods.selected_by(selector);
            for pod in pods.filter(|pod| !reads_tokens(pod, &policies)) {
                problems.push(problem(object, &path, claim, wanted, pod));
            }
        }
    }
    problems
}

fn first_claim(spec: &VirtualService) -> Option<(&str, FieldPath)> {
    spec.http.iter().enumerate().find_map(|(rule, http)| {
        http.match_.iter().enumerate().find_map(|(index, block)| {
            let lists = [("headers", &block.headers), ("withoutHeaders", &block.without_headers)];
            lists.into_iter().find_map(|(field, list)| {
                let name = list.keys().find(|name| name.starts_with(CLAIMS))?;
                let path = FieldPath::spec().field("http").index(rule).field("match").index(index);
                Some((name.as_str(), path.field(field).field(name)))
            })
        })
    })
}

fn reads_tokens(pod: &Object, policies: &[(&Object, &Labels)]) -> bool {
    policies.iter().any(|(policy, selector)| {
        (policy.namespace() == ROOT_NAMESPACE || policy.namespace() == pod.namespace())
            && selects(selector, &pod.meta.labels)
    })
}

/// The RequestAuthentications, each with its selector; an empty one selects all.
pub(super) fn policies<'a>(objects: &[&'a Object]) -> Vec<(&'a Object, &'a Labels)> {
    static EVERYTHING: Labels = Labels::new();
    let policy = |object: &&'a Object| match &object.body {
        Kind::RequestAuthentication(policy) => {
            let selector = policy.selector.as_ref().map(|selector| &selector.match_labels);
            Some((*object, selector.unwrap_or(&EVERYTHING)))
        }
        _ => None,
    };
    objects.iter().filter_map(policy).collect()
}

fn problem(
    object: &Object,
    path: &FieldPath,
    claim: &str,
    (namespace, gateway): (&str, &str),
    pod: &Object,
) -> Diagnostic {
    let message = format!(
        "no RequestAuthentication makes the pod `{}` of the gateway `{namespace}/{gateway}` read tokens, so claims \
         are never known there",
        pod.name()
    );
    object
        .diagnostic(codes::IST0149, path, message, "never matches")
        .help("add a RequestAuthentication for the gateway's pods")
        .istio(format!(
            "The virtual service uses the JWT claim based routing (key: {claim}) but found no request authentication \
             for the gateway ({namespace}/{gateway}) pod ({}). The request authentication must first be applied for \
             the gateway pods to validate the JWT token and make the claims available for routing.",
            pod.name()
        ))
}
