//! Delegation that leads nowhere: to objects that cannot be used as a delegate (PIL0101), and rules of a delegate that
//! the root's conditions exclude (PIL0102). Istio drops both without a word.

use std::collections::BTreeMap;

use pilotage_config::object::Object;
use pilotage_config::virtual_service::{Delegate, HttpRoute, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, DOMAIN, EVERYBODY, scopes, virtual_services};
use crate::virtual_service::delegates::merge_blocks;
use crate::virtual_service::destinations::Names;

type ByName<'a> = BTreeMap<(&'a str, &'a str), (&'a Object, &'a VirtualService)>;

/// The problems of all rules that delegate.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let by_name: ByName<'_> = virtual_services(objects)
        .map(|(object, spec)| ((object.namespace(), object.name()), (object, spec)))
        .collect();
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(objects).filter(|(_, spec)| !spec.hosts.is_empty()) {
        for (index, rule) in spec.http.iter().enumerate() {
            let Some(to) = &rule.delegate else { continue };
            let path = FieldPath::spec().field("http").index(index);
            match usable(object, to, &by_name) {
                Ok((delegate, spec)) => {
                    problems.extend(dropped(object, rule, &path, delegate, spec));
                }
                Err(reason) => problems.push(unusable(object, &path, reason)),
            }
        }
    }
    problems
}

fn usable<'a>(
    root: &Object,
    to: &Delegate,
    by_name: &ByName<'a>,
) -> Result<(&'a Object, &'a VirtualService), String> {
    let namespace = if to.namespace.is_empty() { root.namespace() } else { &to.namespace };
    let name = format!("`{namespace}/{}`", to.name);
    let Some((object, spec)) = by_name.get(&(namespace, &*to.name)) else {
        return Err(format!("there is no VirtualService {name}"));
    };
    if !spec.hosts.is_empty() {
        return Err(format!("{name} has hosts of its own, which a delegate must not have"));
    }
    let scopes = scopes(spec.export_to.iter().map(String::as_str), namespace);
    if !scopes.iter().any(|scope| *scope == EVERYBODY || *scope == root.namespace()) {
        return Err(format!("{name} is not exported to the namespace `{}`", root.namespace()));
    }
    Ok((*object, *spec))
}

fn unusable(root: &Object, path: &FieldPath, reason: String) -> Diagnostic {
    root.value_diagnostic(codes::PIL0101, &path.field("delegate"), reason, "leads nowhere")
        .note("the rule has no effect; its requests fall to later rules")
}

/// The rules of a delegate that vanish.
fn dropped(
    root: &Object,
    rule: &HttpRoute,
    path: &FieldPath,
    delegate: &Object,
    spec: &VirtualService,
) -> Vec<Diagnostic> {
    let root_rule = completed(rule, root);
    let exclude = |rule: &HttpRoute| {
        merge_blocks(&root_rule.match_, &completed(rule, delegate).match_).is_none()
    };
    let excluded = spec.http.iter().enumerate().filter(|(_, rule)| exclude(rule));
    excluded
        .map(|(index, _)| {
            let message =
                format!("this rule does not fit `{path}` of `{root}`, which delegates here");
            let place = FieldPath::spec().field("http").index(index).field("match");
            delegate
                .value_diagnostic(codes::PIL0102, &place, message, "no such request gets here")
                .help("a delegate may narrow the conditions of the root, and not change them")
        })
        .collect()
}

/// The rule with gateways named in full, so that two objects name them alike.
fn completed(rule: &HttpRoute, object: &Object) -> HttpRoute {
    let mut rule = rule.clone();
    Names { namespace: object.namespace(), domain: DOMAIN }.complete_http(&mut rule);
    rule
}
