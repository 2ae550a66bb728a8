//! `explain`: one screen for people, JSON for scripts, and help where something is wrong.

use serde_json::Value;

use crate::support::{Done, Folder, pilotage};

const MESH: &str = "\
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {clusterIP: 10.96.0.1, selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-v2, labels: {app: reviews, version: v2}}
status: {podIP: 10.0.1.7, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 10}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
";

const RULES: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: jason
    match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 75}
    - {destination: {host: reviews, subset: v3}, weight: 25}
";

const EDGE: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.test]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  gateways: [public]
  http:
  - match: [{uri: {prefix: /cart}}]
    delegate: {name: cart}
  - match: [{uri: {exact: /old}}]
    redirect: {uri: /new}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  http: [{route: [{destination: {host: reviews, subset: v2}}]}]
";

/// Runs `explain` on a folder with these files.
fn run(files: &[(&str, &str)], arguments: &[&str]) -> Done {
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(name, text);
    }
    let mut all = vec!["explain"];
    all.extend(arguments);
    all.extend(["-f", folder.path()]);
    let mut done = pilotage(&all);
    let below = format!(" · files below {}/", folder.path());
    done.stdout = done.stdout.replace(&below, "");
    done.stderr = done.stderr.replace(folder.path(), "FOLDER");
    done
}

fn mesh(arguments: &[&str]) -> Done {
    run(&[("mesh.yaml", MESH), ("rules.yaml", RULES), ("edge.yaml", EDGE)], arguments)
}

fn json(arguments: &[&str]) -> Value {
    let done = mesh(&[arguments, &["-o", "json"]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    // What is no JSON has none of the fields that are looked for.
    serde_json::from_str(&done.stdout).unwrap_or_default()
}

#[test]
fn a_screen_tells_each_reason_with_its_line() {
    let done = mesh(&["http://reviews:9080/reviews/0", "-H", "end-user: jason"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let wanted = "\
GET http://reviews:9080/reviews/0  end-user: jason
from a sidecar in namespace default

  host      reviews → reviews.default.svc.cluster.local                                 rules.yaml:1
  listener  0.0.0.0_9080 · routes 9080 · virtual host reviews.default.svc.cluster.local:9080
  rule 1    http[0] \"jason\"   matched                                                  rules.yaml:7
              header end-user   want exact jason   got jason                            rules.yaml:8
  fault     none
  goes to   v2  100 %   subset v2 {version: v2}         DestinationRule default/reviews  mesh.yaml:20
              10.0.1.7:9080 healthy
  balance   least request                                                              Istio default
  limits    100 connections, 10 pending                                                 mesh.yaml:17
  tls       plain text                                                                 Istio default
  timeout   none                                                                       Istio default
  retries   2 on connect-failure, refused-stream, cancelled, unavailable               Istio default

Without `end-user: jason`: rule 2 (http[1]) → v1 75 %, v3 25 % (NC)
";
    let found: Vec<&str> = done.stdout.lines().map(str::trim_end).collect();
    for (line, wanted) in found.iter().zip(wanted.lines()) {
        // How far the columns are apart depends on the widths of the names of files.
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(line), words(wanted), "{}", done.stdout);
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert_eq!(found.len(), wanted.lines().count(), "{}", done.stdout);
}

#[test]
fn a_missing_subset_is_told_in_one_sentence() {
    let done = mesh(&["http://reviews:9080/"]);
    assert!(
        done.stdout.contains("no: header end-user   want exact jason   got nothing"),
        "{}",
        done.stdout
    );
    let sentence = done.stdout.replace('\n', " ");
    assert!(
        sentence.contains(
            "503 NC cluster_not_found for 25 % of the requests: http[1] routes to subset \"v3\" of \
             reviews.default.svc.cluster.local, which no DestinationRule defines (rules.yaml:12)"
        ),
        "{}",
        done.stdout
    );
}

#[test]
fn json_has_the_names_of_istio() {
    let answer = json(&["http://reviews:9080/", "-H", "end-user: jason"]);
    for (field, wanted) in [
        ("version", Value::from(1)),
        ("listener", "0.0.0.0_9080".into()),
        ("routeConfig", "9080".into()),
        ("virtualHost", "reviews.default.svc.cluster.local:9080".into()),
        ("route", "jason".into()),
        ("outcome", "forward".into()),
        ("error", Value::Null),
        ("status", Value::Null),
        ("flags", "".into()),
    ] {
        assert_eq!(answer[field], wanted, "{field}");
    }
    let cluster = &answer["clusters"][0];
    assert_eq!(cluster["name"], "outbound|9080|v2|reviews.default.svc.cluster.local");
    assert_eq!(cluster["weight"], 1);
    let condition = &answer["trace"][0]["conditions"][1];
    assert_eq!((&condition["wanted"], &condition["got"]), (&"exact jason".into(), &"jason".into()));
    assert_eq!(condition["place"]["field"], "spec.http[0].match[0].headers.end-user");
    assert_eq!(condition["place"]["line"], 8);
    assert_eq!(answer["alternatives"][0]["rule"]["field"], "http[1]");

    let answer = json(&["http://reviews:9080/"]);
    let shares: Vec<_> = answer["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (&c["weight"], &c["flags"]))
        .collect();
    assert_eq!(shares, [(&75.into(), &"UH".into()), (&25.into(), &"NC".into())]);
    assert_eq!((&answer["status"], &answer["flags"]), (&Value::Null, &"".into()));
}

#[test]
fn gateways_show_delegates_and_redirects() {
    let done = mesh(&["http://shop.test/cart", "--proxy", "gateway"]);
    let rule = done.stdout.lines().find(|line| line.contains("matched")).unwrap();
    assert!(rule.starts_with("  rule 1    http[0] → default/cart http[0]   matched"), "{rule}");
    assert!(done.stdout.contains("path   want prefix /cart   got /cart"), "{}", done.stdout);

    let done = mesh(&["http://shop.test/old", "--from", "public"]);
    assert!(done.stdout.contains("answer    301 → http://shop.test/new"), "{}", done.stdout);

    let answer = json(&["http://shop.test/nothing", "--proxy", "gateway"]);
    assert_eq!((&answer["outcome"], &answer["error"]), (&"none".into(), &"no-route".into()));
    assert_eq!((&answer["status"], &answer["flags"]), (&404.into(), &"NR".into()));
    let answer = json(&["http://other.test/", "--proxy", "gateway"]);
    assert_eq!(answer["error"], "no-virtual-host");
    let answer = json(&["http://shop.test:81/", "--proxy", "gateway"]);
    assert_eq!(answer["error"], "no-listener");
    let answer = json(&["http://shop.test/", "--proxy", "gateway", "--tls", "tls"]);
    assert_eq!(answer["error"], "protocol-error");
}

#[test]
fn a_host_that_nobody_has_comes_with_the_nearest_one() {
    let done = mesh(&["http://rewiews:9080/"]);
    let text = done.stdout.replace('\n', " ");
    assert!(text.contains("nobody in the mesh is called rewiews"), "{text}");
    assert!(text.contains("ALLOW_ANY); did you mean reviews?"), "{text}");
    // Somebody else has it.
    let done = mesh(&["http://shop.test/"]);
    let text = done.stdout.replace('\n', " ");
    assert!(text.contains("not VirtualService default/shop: it is for the gateway"), "{text}");
    let done = mesh(&["http://reviews:81/"]);
    assert!(done.stdout.contains("reviews has no port 81 (it has 9080)"), "{}", done.stdout);
}

#[test]
fn mistakes_of_the_command_line_are_told() {
    for (arguments, wanted) in [
        (&["http:///x"][..], "error: `http:///x` names no host; write http://HOST[:PORT]/PATH\n"),
        (&["POST"], "error: `POST` is a method; the URL is missing\n"),
        (&["http://a", "-H", "x"], "error: `x` is no header; write -H 'name: value'\n"),
        (
            &["http://a", "--from", "rewiews-v2"],
            "error: --from: no workload or gateway is called `rewiews-v2`; did you mean `reviews-v2`? \
             (there are public, reviews, reviews-v2)\n",
        ),
    ] {
        let done = mesh(arguments);
        assert_eq!((done.code, done.stderr.as_str()), (64, wanted), "{arguments:?}");
    }
    let done = pilotage(&["explain", "http://a"]);
    assert_eq!(done.code, 64);
    assert_eq!(done.stderr, "error: no files: name a file or folder with -f PATH\n");
}

#[test]
fn a_broken_file_among_good_ones_is_named_and_the_rest_explained() {
    let broken =
        RULES.replace("destination", "destinaton").replace("name: reviews}", "name: typo}");
    let done = run(
        &[("mesh.yaml", MESH), ("rules.yaml", RULES), ("typo.yaml", &broken), ("x.yaml", "a: [")],
        &["http://reviews:9080/", "-H", "end-user: jason"],
    );
    assert_eq!(done.code, 65, "{}", done.stderr);
    assert!(
        done.stderr.contains("unknown field `spec.http[0].route[0].destinaton`"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("goes to   v2  100 %"), "{}", done.stdout);
    let note = done.stdout.lines().find(|line| line.starts_with("note: not loaded")).unwrap();
    assert!(note.contains("VirtualService default/typo") && note.contains("x.yaml"), "{note}");
}

/// Every field of the JSON is described.
#[test]
fn the_page_describes_every_field() {
    fn fields(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    found.push(name.clone());
                    // Names of headers and labels, and what programs get in facts, are no fields of the format.
                    if !["headers", "labels", "value"].contains(&name.as_str()) {
                        fields(value, found);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
            _ => {}
        }
    }
    let page = include_str!("../../../../docs/explain.md");
    let mut found = Vec::new();
    fields(&json(&["http://reviews:9080/", "-H", "end-user: jason"]), &mut found);
    assert!(found.len() > 100, "{found:?}");
    let missing: Vec<_> =
        found.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/explain.md does not describe {missing:?}");
}

#[test]
fn rules_that_are_not_for_this_proxy_are_told_as_such() {
    let folder = Folder::new();
    folder.write("mesh.yaml", MESH);
    let rules = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  gateways: [mesh, edge/web]
  http:
  - match: [{gateways: [edge/web]}]
    directResponse: {status: 201}
  - match: [{sourceLabels: {app: web}}, {port: 81}]
    directResponse: {status: 202}
  - route: [{destination: {host: reviews, subset: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: any}
spec:
  hosts: ['*']
  gateways: [edge/web]
  http: [{directResponse: {status: 203}}]
";
    folder.write("rules.yaml", rules);
    let done = pilotage(&["explain", "http://reviews:9080/", "-f", folder.path()]);
    for part in [
        "http[0]   not here: only for the gateway edge/web",
        "http[1]   not here: only for clients with app=web or on port 81",
        "http[2]   matched",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    assert!(!done.stdout.contains("VirtualService default/any"), "{}", done.stdout);
}

#[test]
fn a_method_that_http1_lacks_is_refused_before_any_rule() {
    let folder = Folder::new();
    folder.write("mesh.yaml", MESH);
    folder.write("rules.yaml", RULES);
    let done = pilotage(&["explain", "POSTS", "http://reviews:9080/", "-f", folder.path()]);
    for part in ["400 DPE http1.codec_error", "HTTP/1 has no method POSTS"] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let http2 = ["explain", "POSTS", "http://reviews:9080/", "--protocol", "http2"];
    let done = pilotage(&[http2.as_slice(), &["-f", folder.path()]].concat());
    assert!(!done.stdout.contains("400"), "{}", done.stdout);
}
