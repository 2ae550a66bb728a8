//! Test files of Envoy's router_check_tool.

use crate::support::{Folder, pilotage};

const ROUTES: &str = "\
virtual_hosts:
- name: shop
  domains: [shop.test]
  routes:
  - match: {prefix: /cart}
    route: {cluster: cart, timeout: {seconds: 2}}
  - match: {prefix: /old}
    redirect: {path_redirect: /new}
  - match: {prefix: /}
    route: {cluster: front}
";

const TESTS: &str = r#"{"tests": [
  {
    "test_name": "the cart has a cluster of its own",
    "input": {"authority": "shop.test", "path": "/cart/3", "method": "GET"},
    "validate": {"cluster_name": "cart", "virtual_host_name": "shop"}
  },
  {
    "test_name": "old links lead on",
    "input": {"authority": "shop.test", "path": "/old", "method": "GET", "ssl": true},
    "validate": {"path_redirect": "https://shop.test/new"}
  }
]}"#;

fn folder() -> (Folder, String, String) {
    let folder = Folder::new();
    folder.write("routes.yaml", ROUTES);
    folder.write("tests.json", TESTS);
    let path = |name| folder.file(name).display().to_string();
    let (routes, tests) = (path("routes.yaml"), path("tests.json"));
    (folder, routes, tests)
}

#[test]
fn what_holds_is_counted_and_what_no_test_reaches_is_named() {
    let (_folder, routes, tests) = folder();
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let wanted = format!(
        "2 tests: 2 passed\ncoverage: 2 of 3 rules, 66.6 %\n  no test reaches\n    \
         virtual host shop, routes[2]   {routes}:9\n"
    );
    assert_eq!(done.stdout, wanted);
}

#[test]
fn too_little_coverage_fails() {
    let (_folder, routes, tests) = folder();
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests, "--fail-under", "70"]);
    assert_eq!(done.code, 79);
    assert!(done.stderr.contains("coverage is 66.6 %, and 70 % is demanded"), "{}", done.stderr);
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests, "--fail-under", "170"]);
    assert_eq!(done.code, 64);
}

#[test]
fn a_wrong_test_fails_and_names_the_route_that_took_the_request() {
    let (folder, routes, _) = folder();
    folder.write("tests.json", &TESTS.replace("\"cart\"", "\"basket\""));
    let tests = folder.file("tests.json").display().to_string();
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests, "--only-show-failures"]);
    assert_eq!(done.code, 79);
    for part in [
        "FAIL the cart has a cluster of its own",
        "asked      GET http://shop.test/cart/3",
        "expected basket",
        "got      cart",
        &format!("virtual host shop, routes[0]   {routes}:5"),
        "2 tests: 1 passed, 1 failed",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
}

#[test]
fn a_slip_in_either_file_has_a_place_and_no_test_runs() {
    let (folder, routes, tests) = folder();
    folder.write("tests.json", &TESTS.replace("cluster_name", "clustername"));
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests]);
    assert_eq!((done.code, done.stdout.as_str()), (65, ""));
    assert!(done.stderr.contains("tests.json:5:18"), "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `cluster_name`?"), "{}", done.stderr);
    folder.write("tests.json", TESTS);
    folder.write("routes.yaml", &ROUTES.replace("domains:", "domain:"));
    let done = pilotage(&["test", "--envoy-routes", &routes, &tests]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("routes.yaml:3:3"), "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `domains`?"), "{}", done.stderr);
}

#[test]
fn machines_read_junit_tap_and_json() {
    let (_folder, routes, tests) = folder();
    let told = |form| pilotage(&["test", "--envoy-routes", &routes, &tests, "-o", form]).stdout;
    assert!(told("tap").starts_with("TAP version 14\n1..2\nok 1 - the cart"), "{}", told("tap"));
    assert!(told("junit").contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{}", told("junit"));
    let json: serde_json::Value = serde_json::from_str(&told("json")).unwrap();
    assert_eq!(json["summary"]["passed"], 2);
    assert_eq!(json["coverage"]["rules"][2]["line"], 9);
}
