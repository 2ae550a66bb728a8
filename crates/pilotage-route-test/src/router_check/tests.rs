use std::sync::Arc;

use pilotage_config::yaml::documents;
use pilotage_proto::json;

use super::file::TestFile;
use super::{Counting, Routes, run};
use crate::report::{Report, Verdict};

const ROUTES: &str = r#"
virtual_hosts:
- name: shop
  domains: [shop.test]
  require_tls: EXTERNAL_ONLY
  routes:
  - match: {prefix: /old}
    redirect: {prefix_rewrite: /new, response_code: FOUND}
  - match: {prefix: /hello}
    direct_response: {status: 200, body: {inline_string: hi}}
    response_headers_to_add: [{header: {key: x-by, value: route}}]
  - match: {prefix: /typed}
    direct_response: {status: 200, body: {inline_string: '{}'}}
    response_headers_to_add: [{header: {key: content-type, value: application/json}}]
  - match: {prefix: /empty}
    direct_response: {status: 200}
- name: all
  domains: ['*']
  routes:
  - match: {prefix: /canary, runtime_fraction: {default_value: {numerator: 30}, runtime_key: canary.on}}
    route: {cluster: canary}
  - match: {prefix: /split}
    route: {weighted_clusters: {clusters: [{name: a, weight: 30}, {name: b, weight: 70}]}}
  - match: {prefix: /named}
    route: {cluster_header: x-cluster}
  - match: {prefix: /by-host}
    route: {cluster_header: ':authority'}
  - match: {path: /Api, case_sensitive: false}
    route: {cluster: api, prefix_rewrite: /v2, host_rewrite_literal: api.internal, timeout: 3s}
    request_headers_to_add: [{header: {key: x-from, value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%'}}]
    metadata: {filter_metadata: {owner: {team: web}}}
  - match: {prefix: /}
    route: {cluster: rest}
  virtual_clusters:
  - {name: buys, headers: [{name: ':method', string_match: {exact: POST}}]}
- name: meta
  domains: [meta.test]
  routes:
  - match: {path: /meta, dynamic_metadata: [{filter: auth, path: [{key: who}, {key: isAdmin}], value: {bool_match: true}}]}
    route: {cluster: admins}
  - match: {path: /meta, dynamic_metadata: [{filter: auth, path: [{key: who}], value: {present_match: true}, invert: true}]}
    route: {cluster: strangers}
"#;

/// Runs tests, of which each line is `authority path method | more of the input | what is expected`.
fn report(tests: &str, counting: Counting) -> Report {
    let name: Arc<str> = "routes.yaml".into();
    let (nodes, _) = documents(&name, ROUTES);
    let config = json::from_value(&nodes[0].to_json()).unwrap();
    let routes = Routes::new(&name, &nodes[0], config);
    assert_eq!(routes.rejections(), []);
    let mut text = "tests:\n".to_owned();
    for line in tests.trim().lines() {
        let parts: Vec<&str> = line.splitn(3, "|").map(str::trim).collect();
        let words: Vec<&str> = parts[0].split(' ').collect();
        let (authority, path, method) = (words[0], words[1], words[2]);
        text.push_str(&format!(
            "- test_name: '{line}'\n  input: {{authority: {authority}, path: {path}, method: {method}, {}}}\n  validate: {{{}}}\n",
            parts[1], parts[2],
            line = parts[0],
        ));
    }
    let file = TestFile::read(&"tests.yaml".into(), &text).unwrap();
    run(&routes, &[file], counting)
}

fn verdicts(tests: &str) -> Vec<Verdict> {
    report(tests, Counting::Any).tests().map(|test| test.verdict.clone()).collect()
}

/// All of these hold.
fn hold(tests: &str) {
    for (line, verdict) in tests.trim().lines().zip(verdicts(tests)) {
        assert_eq!(verdict, Verdict::Passed, "{line}");
    }
}

#[test]
fn routes_are_found_and_requests_rewritten() {
    hold(
        r#"
        x.test /other GET | | cluster_name: rest, virtual_host_name: all, path_rewrite: /other, host_rewrite: x.test, path_redirect: ''
        x.test /api?q=1 GET | | path_rewrite: '/v2?q=1', host_rewrite: api.internal, timeout: 3s
        x.test /api GET | | request_header_matches: [{name: x-from, string_match: {exact: 127.0.0.1}}, {name: ':path', exact_match: /v2}]
        x.test /api GET | | request_header_fields: [{key: ':authority', value: api.internal}, {key: cookie, value: ''}]
        x.test /api GET | | route_metadata: [{namespace: owner, key: team, value: web}]
        x.test /api GET | | request_header_matches: [{name: ':cookie', invert_match: true}]
        "#,
    );
}

#[test]
fn chance_is_what_the_test_says() {
    hold(
        r#"
        x.test /split GET | random_value: 129 | cluster_name: a
        x.test /split GET | random_value: 130 | cluster_name: b
        x.test /canary GET | random_value: 10 | cluster_name: rest
        x.test /canary GET | random_value: 10, runtime: canary.on | cluster_name: canary
        x.test /canary GET | random_value: 30, runtime: canary.on | cluster_name: rest
        x.test /canary GET | random_value: 10, runtime: other | cluster_name: rest
        "#,
    );
}

#[test]
fn metadata_is_what_the_test_says() {
    hold(
        r#"
        meta.test /meta GET | | cluster_name: strangers
        meta.test /meta GET | dynamic_metadata: [{metadata_namespace: auth, value: {who: {isAdmin: true}}}] | cluster_name: admins
        meta.test /meta GET | dynamicMetadata: [{metadataNamespace: auth, value: {who: {isAdmin: false}}}] | cluster_name: ''
        meta.test /meta GET | dynamic_metadata: [{metadata_namespace: other, value: {who: {isAdmin: true}}}] | cluster_name: strangers
        meta.test /meta GET | dynamic_metadata: [{metadata_namespace: auth, value: {who: {isAdmin: false}}}, {metadata_namespace: auth, value: {who: {isAdmin: true}}}] | cluster_name: ''
        meta.test /meta GET | dynamic_metadata: [{metadata_namespace: auth, value: {who: {isAdmin: false}}}, {metadata_namespace: auth, value: {who: {isAdmin: true}}, allow_overwrite: true}] | cluster_name: admins
        "#,
    );
}

#[test]
fn headers_name_clusters_and_answers_have_headers() {
    hold(
        r#"
        x.test /named GET | additional_request_headers: [{key: X-Cluster, value: elsewhere}] | cluster_name: elsewhere
        x.test /named GET | | cluster_name: ''
        some_cluster /by-host GET | | cluster_name: some_cluster
        x.test /named GET | additional_headers: [{key: X-Cluster, value: former}] | cluster_name: former
        x.test / GET | additional_response_headers: [{key: x-a, value: b}] | response_header_matches: [{name: x-a, exact_match: b}]
        x.test / POST | | virtual_cluster_name: buys
        x.test / GET | | virtual_cluster_name: other
        "#,
    );
}

#[test]
fn answers_of_routes_have_an_url_a_status_and_headers() {
    hold(
        r#"
        shop.test /old/x?y GET | ssl: true | path_redirect: 'https://shop.test/new/x?y', code_redirect: 302, cluster_name: ''
        shop.test /hello GET | ssl: true | path_redirect: 'https://shop.test/hello', code_redirect: 200, path_rewrite: ''
        shop.test /hello GET | ssl: true | response_header_matches: [{name: x-by, exact_match: route}, {name: content-length, range_match: {start: 2, end: 3}}]
        shop.test /typed GET | ssl: true | response_header_matches: [{name: content-type, exact_match: "text/plain,application/json"}]
        shop.test /empty GET | ssl: true | response_header_matches: [{name: content-length, present_match: true, invert_match: true}]
        shop.test /hello GET | | path_redirect: 'https://shop.test/hello', code_redirect: 301
        shop.test /hello GET | internal: true | code_redirect: 200
        shop.test /none GET | ssl: true | cluster_name: '', code_redirect: 0, path_redirect: ''
        "#,
    );
}

#[test]
fn what_differs_is_told_and_what_is_not_there_is_no_silence() {
    let told = verdicts(
        r#"
        x.test / GET | | cluster_name: api, path_rewrite: /x
        x.test / GET | dynamic_metadata: [{value: {a: b}}] | cluster_name: rest
        x.test / GET | | request_header_matches: [{name: x-a, string_match: {exact: b}}]
        x.test / GET | | request_header_matches: [{nme: x-a}]
        "#,
    );
    let Verdict::Failed(mismatches) = &told[0] else { panic!("{told:?}") };
    assert_eq!((mismatches[0].what.as_str(), mismatches[0].got.as_str()), ("cluster_name", "rest"));
    assert_eq!(mismatches.len(), 2);
    assert!(
        matches!(&told[1], Verdict::Broken(why) if why.contains("`metadata_namespace`")),
        "{told:?}"
    );
    let Verdict::Failed(mismatches) = &told[2] else { panic!("{told:?}") };
    assert_eq!(mismatches[0].got, "no such header");
    assert!(matches!(&told[3], Verdict::Broken(why) if why.contains("nme")), "{told:?}");
}

#[test]
fn coverage_counts_clusters_of_weighted_routes_and_only_what_was_as_expected() {
    let tests = "
        x.test /split GET | random_value: 1 | cluster_name: a, virtual_host_name: all
        x.test /api GET | | cluster_name: wrong
        x.test / GET | | request_header_matches: [{name: ':path', exact_match: /}]
        shop.test /old GET | ssl: true | code_redirect: 302
        ";
    let coverage = report(tests, Counting::Any).coverage;
    assert_eq!((coverage.reached(), coverage.rules.len()), (2, 13));
    let in_vain: Vec<&str> = coverage.visited_in_vain().map(|rule| &*rule.name).collect();
    assert_eq!(in_vain, ["virtual host all, routes[4]", "virtual host all, routes[5]"]);
    let dead: Vec<String> = coverage.dead().map(|rule| rule.to_string()).collect();
    assert_eq!(dead[0], "virtual host shop, routes[1] (routes.yaml:9)");
    assert!(
        dead.contains(&"virtual host all, routes[1], cluster b (routes.yaml:22)".to_owned()),
        "{dead:?}"
    );
    let all = report(tests, Counting::All).coverage;
    let wanted = (0.5 + 2.0 / 5.0) * 100.0 / 13.0;
    assert!((all.percent() - wanted).abs() < 1e-9, "{}", all.percent());
}

#[test]
fn slips_in_test_files_have_a_place_and_a_proposal() {
    let read = |text: &str| TestFile::read(&"t.yaml".into(), text).unwrap_err();
    let slip = "tests:\n- test_name: a\n  input: {authority: a, path: /, method: GET}\n  validate: {clustername: x}\n";
    let told = read(slip)[0].to_string();
    assert!(told.starts_with("t.yaml:4:14: error[PIL0203]: unknown field"), "{told}");
    let missing = read("tests: [{test_name: a, input: {authority: a}, validate: {}}]");
    assert!(missing[0].message.contains("`input.path`"), "{missing:?}");
    assert!(read(ROUTES)[0].message.contains("a route configuration"), "{:?}", read(ROUTES));
    assert!(read("[]").iter().any(|p| p.message.contains("list")));
    assert!(read("").iter().any(|p| p.message.contains("no test")));
    let protobuf = TestFile::read(&"t.pb_text".into(), "tests {}").unwrap_err();
    assert_eq!(
        protobuf[0].to_string(),
        "t.pb_text:1:1: error[PIL0203]: tests as protobuf text are not read"
    );
    let camel = "{runtime: {some.switch: 1}, tests: [{testName: a, input: {authority: a, path: /}, validate: {clusterName: x}}]}";
    assert_eq!(TestFile::read(&"t.yaml".into(), camel).unwrap().tests.len(), 1);
}
