use crate::host::Host;
use crate::testing::{istio, sidecar, snapshot};

/// A rule named `name` in `namespace` for `cart.shop`.
fn rule(name: &str, namespace: &str, more: &str) -> String {
    istio(
        "DestinationRule",
        name,
        namespace,
        &format!("{{host: cart.shop.svc.cluster.local{more}}}"),
    )
}

/// The objects in the rule that a client in `namespace` with these labels uses for `cart.shop`, and its subsets.
fn chosen(yaml: &str, namespace: &str, labels: &[&str]) -> Option<(Vec<String>, Vec<String>)> {
    let rules = &snapshot(yaml).destination_rules;
    let choice = rules.choice(namespace, &Host::from("cart.shop.svc.cluster.local"), "shop");
    let rule = choice.outbound(namespace, &sidecar(namespace, labels).labels)?;
    let objects = rule.merged.iter().map(|origin| origin.object.name.to_string());
    let subsets = rule.subsets.iter().map(|(subset, _)| subset.name.clone());
    Some((objects.collect(), subsets.collect()))
}

fn names(yaml: &str, namespace: &str, labels: &[&str]) -> Vec<String> {
    chosen(yaml, namespace, labels).map(|(names, _)| names).unwrap_or_default()
}

#[test]
fn the_client_is_asked_first_then_the_owner_then_the_root() {
    let (client, owner, root) =
        (rule("c", "web", ""), rule("o", "shop", ""), rule("r", "istio-system", ""));
    assert_eq!(names(&[&*client, &owner, &root].concat(), "web", &[]), ["c"]);
    assert_eq!(names(&[&*owner, &root].concat(), "web", &[]), ["o"]);
    assert_eq!(names(&root, "web", &[]), ["r"]);
    // A client in the root namespace does not count its public rules as its own.
    assert_eq!(names(&[&*owner, &root].concat(), "istio-system", &[]), ["o"]);
}

#[test]
fn a_wider_rule_at_the_client_hides_an_exact_one_elsewhere() {
    let wide = istio("DestinationRule", "wide", "web", "{host: '*.local'}");
    assert_eq!(names(&(wide.clone() + &rule("o", "shop", "")), "web", &[]), ["wide"]);
    assert_eq!(names(&(wide + &rule("c", "web", "")), "web", &[]), ["c"]);
}

#[test]
fn a_rule_for_others_ends_the_search_at_its_level_and_a_private_one_does_not() {
    let root = rule("r", "istio-system", "");
    let others = istio("DestinationRule", "o", "shop", "{host: cart, exportTo: [blue]}");
    assert_eq!(names(&(others.clone() + &root), "web", &[]), ["r"]);
    let wide = istio("DestinationRule", "w", "shop", "{host: '*.shop.svc.cluster.local'}");
    assert_eq!(names(&(others.clone() + &wide), "web", &[]), Vec::<String>::new());
    assert_eq!(names(&(others.replace("[blue]", "['.']") + &wide), "web", &[]), ["w"]);
}

#[test]
fn rules_for_one_host_merge_oldest_first() {
    let yaml = rule("b", "web", ", subsets: [{name: v1}, {name: v2}]")
        + &rule("a", "web", ", subsets: [{name: v2}, {name: v3}]");
    let (names, subsets) = chosen(&yaml, "web", &[]).unwrap();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(subsets, ["v2", "v3", "v1"]);
}

#[test]
fn rules_for_different_clients_stay_apart_and_the_newest_counts() {
    let yaml = rule("a", "shop", ", exportTo: [web]") + &rule("b", "shop", ", exportTo: [blue]");
    assert_eq!(names(&yaml, "web", &[]), ["a"]);
    assert_eq!(names(&yaml, "blue", &[]), ["b"]);
    let both =
        rule("a", "shop", ", exportTo: [web]") + &rule("b", "shop", ", exportTo: [web, blue]");
    assert_eq!(names(&both, "web", &[]), ["a", "b"]);
}

#[test]
fn a_rule_with_a_selector_is_for_those_clients_and_hides_the_owners_from_all() {
    let mine = rule("mine", "web", ", workloadSelector: {matchLabels: {app: client}}");
    let yaml = mine + &rule("o", "shop", "");
    assert_eq!(names(&yaml, "web", &["app=client"]), ["mine"]);
    assert_eq!(names(&yaml, "web", &["app=other"]), Vec::<String>::new());
    assert_eq!(names(&yaml, "blue", &["app=client"]), ["o"]);
}
