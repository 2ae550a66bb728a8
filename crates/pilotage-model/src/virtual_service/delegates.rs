//! Delegation: a rule of one virtual service that stands for the rules of another.
//!
//! The rules of the delegate are spliced in where the root delegates, each narrowed by the root's conditions. What the
//! delegate leaves open is taken from the root's rule.

mod conflicts;

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::virtual_service::{HttpMatchRequest, HttpRoute};

use super::{Rule, VirtualService};

/// Replaces the rules of `roots` that delegate. A delegate that does not exist, or that the root's namespace does not
/// see, makes the delegating rule vanish; the others stay.
pub(super) fn splice(roots: &mut [VirtualService], delegates: &[VirtualService]) {
    let by_name: BTreeMap<(&str, &str), &VirtualService> =
        delegates.iter().map(|one| ((&*one.namespace, &*one.name), one)).collect();
    for root in roots {
        if root.http.iter().all(|rule| rule.rule.delegate.is_none()) {
            continue;
        }
        let mut rules = Vec::new();
        for rule in std::mem::take(&mut root.http) {
            let Some(to) = &rule.rule.delegate else {
                rules.push(rule);
                continue;
            };
            let namespace = if to.namespace.is_empty() { &*root.namespace } else { &to.namespace };
            let found = by_name.get(&(namespace, &*to.name));
            let seen = found.filter(|delegate| {
                // The owner sees its own delegate only if it is exported to it, like everybody else.
                delegate.visibility.visible_in(&delegate.namespace, &root.namespace)
            });
            rules.extend(seen.into_iter().flat_map(|delegate| merge_rules(&rule, &delegate.http)));
        }
        root.http = rules;
    }
}

fn merge_rules(root: &Rule<HttpRoute>, delegate: &[Rule<HttpRoute>]) -> Vec<Rule<HttpRoute>> {
    let merge = |rule: &Rule<HttpRoute>| {
        Some(Rule {
            rule: Arc::new(merge_rule(&root.rule, &rule.rule)?),
            origin: rule.origin.clone(),
            root: Some(root.origin.clone()),
        })
    };
    delegate.iter().filter_map(merge).collect()
}

/// A rule of the delegate with what the root adds; nothing when no request can satisfy both.
///
/// Destination and redirect are the delegate's alone. Everything else is taken whole from the one or the other.
fn merge_rule(root: &HttpRoute, delegate: &HttpRoute) -> Option<HttpRoute> {
    Some(HttpRoute {
        name: joined(&root.name, &delegate.name),
        match_: merge_blocks(&root.match_, &delegate.match_)?,
        route: delegate.route.clone(),
        redirect: delegate.redirect.clone(),
        delegate: None,
        direct_response: either(&delegate.direct_response, &root.direct_response),
        rewrite: either(&delegate.rewrite, &root.rewrite),
        timeout: delegate.timeout.or(root.timeout),
        retries: either(&delegate.retries, &root.retries),
        fault: either(&delegate.fault, &root.fault),
        mirror: either(&delegate.mirror, &root.mirror),
        mirrors: if delegate.mirrors.is_empty() { &root.mirrors } else { &delegate.mirrors }
            .clone(),
        mirror_percent: delegate.mirror_percent.or(root.mirror_percent),
        mirror_percentage: either(&delegate.mirror_percentage, &root.mirror_percentage),
        cors_policy: either(&delegate.cors_policy, &root.cors_policy),
        headers: either(&delegate.headers, &root.headers),
    })
}

/// All pairs of a root's and a delegate's block that a request can satisfy; nothing when a block of the delegate fits
/// none of the root's.
pub(crate) fn merge_blocks(
    root: &[HttpMatchRequest],
    delegate: &[HttpMatchRequest],
) -> Option<Vec<HttpMatchRequest>> {
    if root.is_empty() || delegate.is_empty() {
        return Some(if root.is_empty() { delegate } else { root }.to_vec());
    }
    let mut merged = Vec::new();
    for leaf in delegate {
        let before = merged.len();
        let fitting = root.iter().filter(|block| !conflicts::exclude_each_other(block, leaf));
        merged.extend(fitting.map(|block| merge_block(block, leaf)));
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

fn merge_block(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> HttpMatchRequest {
    let text = |leaf: &str, root: &str| if leaf.is_empty() { root } else { leaf }.to_owned();
    HttpMatchRequest {
        name: joined(&root.name, &leaf.name),
        uri: either(&leaf.uri, &root.uri),
        scheme: either(&leaf.scheme, &root.scheme),
        method: either(&leaf.method, &root.method),
        authority: either(&leaf.authority, &root.authority),
        headers: united(&root.headers, &leaf.headers),
        port: if leaf.port == 0 { root.port } else { leaf.port },
        source_labels: united(&root.source_labels, &leaf.source_labels),
        gateways: if leaf.gateways.is_empty() { &root.gateways } else { &leaf.gateways }.clone(),
        query_params: united(&root.query_params, &leaf.query_params),
        ignore_uri_case: leaf.ignore_uri_case,
        without_headers: united(&root.without_headers, &leaf.without_headers),
        source_namespace: text(&leaf.source_namespace, &root.source_namespace),
        stat_prefix: text(&leaf.stat_prefix, &root.stat_prefix),
    }
}

fn joined(root: &str, leaf: &str) -> String {
    match (root, leaf) {
        ("", name) | (name, "") => name.to_owned(),
        (root, leaf) => format!("{root}-{leaf}"),
    }
}

fn either<T: Clone>(first: &Option<T>, second: &Option<T>) -> Option<T> {
    first.as_ref().or(second.as_ref()).cloned()
}

fn united<T: Clone>(root: &BTreeMap<String, T>, leaf: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let mut all = root.clone();
    all.extend(leaf.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

#[cfg(test)]
mod tests;
