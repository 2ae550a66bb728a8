//! Destination rules, and exports of them, that no client ever looks up (PIL0303).
//!
//! For a host a client looks into its own namespace, then into that of the service, then into the root namespace, and
//! nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::destination_rules::destination_rules;
use super::{Context, ROOT_NAMESPACE, full_name};

/// The problems of all rules that say who may see them.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let owners = owners(context.objects());
    let mut problems = Vec::new();
    for (object, rule) in destination_rules(context.objects()) {
        let namespace = object.namespace();
        let host = full_name(&rule.host, namespace);
        let Some(owners) = owners.get(&host) else { continue };
        if owners.contains(namespace) || namespace == ROOT_NAMESPACE {
            continue;
        }
        let for_own = |entry: &String| matches!(entry.as_str(), "." | "*") || entry == namespace;
        let is_own = rule.export_to.is_empty() || rule.export_to.iter().any(for_own);
        let elsewhere = rule.export_to.iter().position(|entry| !for_own(entry));
        let Some(index) = elsewhere else { continue };
        let owners = owners.iter().map(|owner| format!("`{owner}`")).collect::<Vec<_>>().join(", ");
        let message = if is_own {
            format!("only clients in `{namespace}` look here for rules of `{}`", rule.host)
        } else {
            format!("nobody looks here for rules of `{}`", rule.host)
        };
        let path = FieldPath::spec().field("exportTo").index(index);
        problems.push(
            object
                .value_diagnostic(codes::PIL0303, &path, message, "has no effect")
                .note(format!(
                    "rules are looked for in the namespaces of the client and of the service ({owners}), and in \
                     `{ROOT_NAMESPACE}`"
                ))
                .help("put the rule into one of these namespaces"),
        );
    }
    problems
}

/// The namespaces that declare each host.
fn owners<'a>(objects: &[&'a Object]) -> BTreeMap<String, BTreeSet<&'a str>> {
    let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for object in objects {
        let mut add = |host: String| {
            owners.entry(host).or_default().insert(object.namespace());
        };
        match &object.body {
            Kind::Service(_) => add(full_name(object.name(), object.namespace())),
            Kind::ServiceEntry(entry) => entry.spec.hosts.iter().for_each(|host| add(host.clone())),
            _ => {}
        }
    }
    owners
}
