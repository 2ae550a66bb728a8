//! Whether a request can satisfy a root's block and a delegate's block at once, as far as Istio looks.

use std::collections::BTreeMap;

use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch};

/// Whether the two blocks are taken to exclude each other. The delegate may narrow the root's conditions, but not
/// widen or replace them; where a regular expression is involved Istio does not try to find out.
pub(super) fn exclude_each_other(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> bool {
    let pairs = [
        (&root.uri, &leaf.uri),
        (&root.scheme, &leaf.scheme),
        (&root.method, &leaf.method),
        (&root.authority, &leaf.authority),
    ];
    pairs.into_iter().any(|(root, leaf)| texts_exclude(root.as_ref(), leaf.as_ref()))
        || maps_exclude(&root.headers, &leaf.headers)
        || maps_exclude(&root.without_headers, &leaf.without_headers)
        || maps_exclude(&root.query_params, &leaf.query_params)
        || root.ignore_uri_case != leaf.ignore_uri_case
        || (root.port > 0 && leaf.port > 0 && root.port != leaf.port)
        || (!root.source_namespace.is_empty() && root.source_namespace != leaf.source_namespace)
        || labels_exclude(&root.source_labels, &leaf.source_labels)
        || gateways_exclude(&root.gateways, &leaf.gateways)
}

type Conditions = BTreeMap<String, Option<StringMatch>>;

fn maps_exclude(root: &Conditions, leaf: &Conditions) -> bool {
    leaf.iter()
        .any(|(key, leaf)| texts_exclude(root.get(key).and_then(Option::as_ref), leaf.as_ref()))
}

fn labels_exclude(root: &BTreeMap<String, String>, leaf: &BTreeMap<String, String>) -> bool {
    leaf.iter().any(|(key, value)| root.get(key).is_some_and(|root| root != value))
}

fn gateways_exclude(root: &[String], leaf: &[String]) -> bool {
    !root.is_empty()
        && !leaf.is_empty()
        && (root.len() < leaf.len() || leaf.iter().any(|gateway| !root.contains(gateway)))
}

/// An empty pattern counts like no pattern, and a condition without any like presence.
fn texts_exclude(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> bool {
    let (Some(root), Some(leaf)) = (root, leaf) else { return false };
    match (said(root), said(leaf)) {
        (StringMatch::Regex(_), _) => true,
        (StringMatch::Exact(root), StringMatch::Exact(leaf)) => root != leaf,
        (StringMatch::Exact(_), _) => true,
        (StringMatch::Prefix(root), StringMatch::Exact(leaf) | StringMatch::Prefix(leaf)) => {
            !leaf.starts_with(root)
        }
        (StringMatch::Prefix(_), StringMatch::Regex(_)) => true,
        (StringMatch::Prefix(_), StringMatch::Unset) => false,
        (StringMatch::Unset, _) => true,
    }
}

fn said(condition: &StringMatch) -> &StringMatch {
    match condition.pattern() {
        Some("") => &StringMatch::Unset,
        _ => condition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclude(root: &StringMatch, leaf: &StringMatch) -> bool {
        texts_exclude(Some(root), Some(leaf))
    }

    fn exact(text: &str) -> StringMatch {
        StringMatch::Exact(text.into())
    }

    fn prefix(text: &str) -> StringMatch {
        StringMatch::Prefix(text.into())
    }

    #[test]
    fn a_delegate_narrows_and_never_widens() {
        assert!(!exclude(&prefix("/a"), &prefix("/a/b")));
        assert!(!exclude(&prefix("/a"), &exact("/ab")));
        assert!(exclude(&prefix("/a/b"), &prefix("/a")));
        assert!(!exclude(&exact("/a"), &exact("/a")));
        assert!(exclude(&exact("/a"), &prefix("/a")));
        assert!(!texts_exclude(None, Some(&exact("/a"))));
        assert!(!texts_exclude(Some(&exact("/a")), None));
    }

    #[test]
    fn regular_expressions_and_presence_go_with_nothing() {
        let regex = StringMatch::Regex("/a.*".into());
        assert!(exclude(&regex, &exact("/a")));
        assert!(exclude(&regex, &regex));
        assert!(exclude(&prefix("/a"), &regex));
        assert!(exclude(&StringMatch::Unset, &exact("1")));
        assert!(!exclude(&prefix("/a"), &StringMatch::Unset));
    }
}
