use pilotage_config::virtual_service::{Delegate, StringMatch};

use super::*;
use crate::visibility::Visibility;

fn uri_prefix(prefix: &str) -> HttpMatchRequest {
    HttpMatchRequest {
        uri: Some(StringMatch::Prefix(prefix.into())),
        ..HttpMatchRequest::default()
    }
}

fn service(namespace: &str, name: &str, rules: Vec<HttpRoute>) -> VirtualService {
    let blank = VirtualService::for_tests();
    let rule = |rule| Rule { rule: Arc::new(rule), origin: blank.origin.clone(), root: None };
    VirtualService {
        namespace: namespace.into(),
        name: name.into(),
        http: rules.into_iter().map(rule).collect(),
        ..VirtualService::for_tests()
    }
}

fn delegating(name: &str, prefix: &str, namespace: &str) -> HttpRoute {
    HttpRoute {
        name: "root".into(),
        match_: vec![uri_prefix(prefix)],
        delegate: Some(Box::new(Delegate { name: name.into(), namespace: namespace.into() })),
        ..HttpRoute::default()
    }
}

fn spliced(root: VirtualService, delegate: VirtualService) -> Vec<HttpRoute> {
    let mut roots = [root];
    splice(&mut roots, &[delegate]);
    roots[0].http.iter().map(|rule| (*rule.rule).clone()).collect()
}

#[test]
fn rules_are_narrowed_and_those_outside_of_the_root_dropped() {
    let leaf = |name: &str, prefix: &str| HttpRoute {
        name: name.into(),
        match_: vec![uri_prefix(prefix)],
        ..HttpRoute::default()
    };
    let delegate =
        service("shop", "leaf", vec![leaf("in", "/a/x"), leaf("out", "/b"), HttpRoute::default()]);
    let rules = spliced(service("shop", "root", vec![delegating("leaf", "/a", "")]), delegate);
    let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["root-in", "root"]);
    assert_eq!(rules[0].match_, [uri_prefix("/a/x")]);
    assert_eq!(rules[1].match_, [uri_prefix("/a")]);
}

#[test]
fn a_delegate_that_is_not_seen_takes_only_its_own_rule_away() {
    let other = HttpRoute { name: "other".into(), ..HttpRoute::default() };
    let root = service("shop", "root", vec![delegating("leaf", "/a", "blue"), other]);
    let hidden = VirtualService {
        visibility: Visibility::Private,
        ..service("blue", "leaf", vec![HttpRoute::default()])
    };
    let names: Vec<_> = spliced(root.clone(), hidden).into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["other"]);
    let seen = service("blue", "leaf", vec![HttpRoute::default()]);
    assert_eq!(spliced(root, seen).len(), 2);
}

#[test]
fn what_the_delegate_leaves_open_comes_from_the_root() {
    let timeout = |seconds| Some(pilotage_config::Duration::from_secs(seconds));
    let root = HttpRoute { timeout: timeout(5), ..delegating("leaf", "/", "") };
    let rules =
        vec![HttpRoute { timeout: timeout(1), ..HttpRoute::default() }, HttpRoute::default()];
    let merged = spliced(service("shop", "root", vec![root]), service("shop", "leaf", rules));
    let timeouts: Vec<_> = merged.iter().map(|rule| rule.timeout).collect();
    assert_eq!(timeouts, [timeout(1), timeout(5)]);
}
