//! Rules of virtual services and where they lead.

use super::*;

#[test]
fn hosts_ports_and_subsets_have_to_exist() {
    let of = |destination: &str| {
        let spec =
            format!("{{hosts: [a.test], http: [{{route: [{{destination: {destination}}}]}}]}}");
        told(&virtual_service(&spec))
    };
    assert_eq!(of("{host: cart, port: {number: 80}}"), Vec::<&str>::new());
    assert_eq!(of("{host: cart.shop.svc.cluster.local, port: {number: 80}}"), Vec::<&str>::new());
    assert_eq!(of("{host: cart.shop, port: {number: 80}}"), ["IST0101"]);
    assert_eq!(of("{host: cart, port: {number: 81}}"), ["IST0101"]);
    assert_eq!(of("{host: cart}"), ["IST0112"]);
    assert_eq!(of("{host: cart, subset: v1, port: {number: 80}}"), ["IST0101"]);
}

#[test]
fn an_older_object_for_the_same_host_is_named() {
    let spec = "{hosts: [cart], http: [{directResponse: {status: 200}}]}";
    let found = problems(&(virtual_service(spec) + &object("VirtualService", "w", spec)));
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["IST0109", "IST0109", "PIL0304"]);
    assert!(found[0].1.contains("shop/w"), "{}", found[0].1);
}

#[test]
fn a_delegate_has_to_be_usable_and_to_fit() {
    let of = |delegate: &str| {
        let root = virtual_service(
            "{hosts: [a.test], http: [{match: [{uri: {prefix: /a}}], delegate: {name: d}}]}",
        );
        told(&(root + &object("VirtualService", "d", delegate)))
    };
    let rule = |uri: &str| {
        format!("http: [{{match: [{{uri: {{prefix: {uri}}}}}], directResponse: {{status: 200}}}}]")
    };
    assert_eq!(of(&format!("{{{}}}", rule("/a/b"))), Vec::<&str>::new());
    assert_eq!(of(&format!("{{{}}}", rule("/b"))), ["PIL0102"]);
    assert_eq!(of(&format!("{{exportTo: [blue], {}}}", rule("/a"))), ["PIL0101"]);
    assert_eq!(of(&format!("{{hosts: [b.test], {}}}", rule("/a"))), ["PIL0101"]);
}

#[test]
fn sidecars_need_the_port_where_it_is_another_one() {
    let api = object("Service", "api", "{ports: [{name: http, port: 9000}]}");
    let of = |rule: &str| {
        let spec = format!("{{hosts: [cart], http: [{{{rule}}}]}}");
        told(&format!("{}{api}", virtual_service(&spec)))
    };
    assert_eq!(of("route: [{destination: {host: api}}]"), ["PIL0103"]);
    assert_eq!(of("route: [{destination: {host: api, port: {number: 9000}}}]"), Vec::<&str>::new());
    let elsewhere = "match: [{port: 9000}], route: [{destination: {host: api}}]";
    assert_eq!(of(elsewhere), Vec::<&str>::new());
}

#[test]
fn of_two_virtual_services_the_private_one_comes_first() {
    let of = |first: &str, second: &str| {
        let one = |name: &str, more: &str| {
            let day = if name == "old" { 1 } else { 2 };
            let metadata = format!("{name}, creationTimestamp: '2026-01-0{day}T00:00:00Z'");
            let spec =
                format!("{{hosts: [a.test]{more}, http: [{{directResponse: {{status: 200}}}}]}}");
            object("VirtualService", &metadata, &spec)
        };
        let found = problems(&(one("old", first) + &one("new", second)));
        let losers = found.into_iter().filter(|(code, _)| *code == "PIL0304");
        losers.map(|(_, message)| message.contains("`shop/old` comes first")).collect::<Vec<_>>()
    };
    assert_eq!(of("", ""), [true]);
    assert_eq!(of(", exportTo: ['.']", ", exportTo: ['.']"), [true]);
    // The private one is used in its namespace, the public one in all others.
    assert_eq!(of("", ", exportTo: ['.']"), Vec::<bool>::new());
    assert_eq!(of("", ", gateways: [web]"), Vec::<bool>::new());
}

#[test]
fn retries_are_a_warning_for_methods_that_must_not_be_repeated() {
    let of = |rule: &str| {
        let spec = format!(
            "{{hosts: [a.test], http: [{{route: [{{destination: {{host: cart, port: {{number: 80}}}}}}], {rule}}}]}}"
        );
        let loaded = load("test.yaml", &virtual_service(&spec));
        let objects: Vec<&Object> = loaded.objects.iter().collect();
        let found = analyze(&objects).into_iter().find(|problem| problem.code.id() == "PIL0311");
        found.map(|problem| problem.severity.as_str())
    };
    let on = |conditions: &str| format!("retries: {{attempts: 2, retryOn: '{conditions}'}}");
    assert_eq!(of(&on("5xx")), Some("info"));
    assert_eq!(
        of(&format!("match: [{{method: {{exact: POST}}}}], {}", on("503"))),
        Some("warning")
    );
    assert_eq!(of(&format!("match: [{{method: {{exact: GET}}}}], {}", on("5xx"))), None);
    assert_eq!(of(&on("connect-failure,429,unavailable")), None);
}

#[test]
fn what_no_rule_is_for_does_not_go_on_to_a_wildcard() {
    let of = |rules: &str, owner: &str, scope: &str, gateway: &str| {
        let one = virtual_service(&format!("{{hosts: [x.a.test], http: {rules}}}"));
        let spec = format!(
            "{{hosts: ['*.a.test'], exportTo: ['{scope}'], gateways: [{gateway}], http: [{{directResponse: {{status: 200}}}}]}}"
        );
        let wild = object("VirtualService", "all", &spec)
            .replace("namespace: shop", &format!("namespace: {owner}"));
        own(&(one + &wild))
    };
    let some = "[{match: [{uri: {prefix: /v2}}], directResponse: {status: 201}}]";
    let all = "[{match: [{uri: {prefix: /}}], directResponse: {status: 201}}]";
    assert_eq!(of(some, "shop", "*", "mesh"), ["PIL0316"]);
    assert_eq!(of(all, "shop", "*", "mesh"), Vec::<&str>::new());
    assert_eq!(of(some, "edge", "*", "mesh"), ["PIL0316"]);
    assert_eq!(of(some, "shop", "*", "shop/web"), Vec::<&str>::new());
}
