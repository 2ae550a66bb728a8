//! Decisions over small tables.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_proto::ResourceSet;
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::{Decision, decide};
use crate::env::Env;
use crate::filter_chain::ChainAction;
use crate::forward::Exchange;
use crate::headers::Headers;
use crate::live_state::LiveState;
use crate::local_reply::LocalReply;
use crate::request::{Downstream, RequestHead, UpstreamHead};
use crate::tables::Tables;
use crate::trace::{NoTrace, Trace};

const CORS: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";
const FAULT: &str = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";

/// Tables with one listener whose only virtual host has `routes`, and the clusters `one` and `two`.
fn tables(routes: &Value) -> Arc<Tables> {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "routeConfig": {"name": "r", "ignorePortInHostMatching": true, "virtualHosts": [
            {"name": "v", "domains": ["a.example"], "routes": routes, "includeRequestAttemptCount": true,
             "requestHeadersToAdd": [{"header": {"key": "x-level", "value": "host"}}]},
            {"name": "tls", "domains": ["tls.example"], "requireTls": "ALL", "routes": []}
        ], "requestHeadersToAdd": [{"header": {"key": "x-level", "value": "table"}}]},
        "upgradeConfigs": [{"upgradeType": "websocket"}],
        "httpFilters": [{"name": "envoy.filters.http.fault"}, {"name": "envoy.filters.http.cors"},
                        {"name": "envoy.filters.http.router"}]
    });
    let listener = json!({
        "name": "l", "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 80}},
        "filterChains": [{"filters": [{"name": "http", "typedConfig": manager}]}]
    });
    let mut set = ResourceSet::default();
    set.listeners.insert("l".into(), Arc::new(from_value(&listener).unwrap()));
    for name in ["one", "two"] {
        set.clusters.insert(name.into(), Arc::new(from_value(&json!({"name": name})).unwrap()));
    }
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &LiveState::new());
    assert_eq!(rejections, []);
    tables
}

struct Sent<'a> {
    method: Method,
    authority: &'a str,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    random: u64,
}

fn get<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)]) -> Sent<'a> {
    Sent { method: Method::GET, authority: "a.example:80", path, headers, random: 0 }
}

fn with_head<R>(sent: &Sent<'_>, f: impl FnOnce(&RequestHead<'_>) -> R) -> R {
    let mut headers = Headers::new();
    for (name, value) in sent.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let downstream = Downstream::plain(([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
    f(&RequestHead {
        method: &sent.method,
        scheme: "http",
        authority: sent.authority,
        path: sent.path,
        version: Version::HTTP_11,
        headers: &headers,
        downstream: &downstream,
        client: downstream.peer,
        metadata: None,
    })
}

fn decided(
    tables: &Tables,
    head: &RequestHead<'_>,
    random: u64,
    trace: &mut impl Trace,
) -> Decision {
    let chain = tables.listener("l").unwrap().chains().next().unwrap();
    let ChainAction::Http(manager) = &chain.action else { panic!("no HTTP") };
    let mut chance = || random;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::from_secs(1), rng: &mut chance };
    decide(tables, manager, head, &mut env, trace)
}

fn reply(tables: &Tables, sent: &Sent<'_>) -> LocalReply {
    match with_head(sent, |head| decided(tables, head, sent.random, &mut NoTrace)) {
        Decision::Reply(reply) => *reply,
        Decision::Forward(forward) => panic!("went to {}", forward.cluster.name()),
    }
}

/// Cluster, path, authority and headers of what goes upstream.
fn upstream(tables: &Tables, sent: &Sent<'_>) -> (String, String, String, Headers) {
    with_head(sent, |head| match decided(tables, head, sent.random, &mut NoTrace) {
        Decision::Reply(reply) => panic!("answered {}", reply.status),
        Decision::Forward(forward) => {
            let mut headers = head.headers.clone();
            let mut out = UpstreamHead {
                method: head.method,
                scheme: head.scheme,
                path: head.path.into(),
                authority: head.authority.into(),
                headers: &mut headers,
            };
            let exchange = Exchange { attempts: 1, ..Exchange::default() };
            forward.apply_request_headers(&mut out, head, &exchange);
            let (path, authority) = (out.path.into_owned(), out.authority.into_owned());
            (forward.cluster.name().to_owned(), path, authority, headers)
        }
    })
}

#[test]
fn the_first_matching_route_takes_the_request() {
    let tables = tables(&json!([
        {"match": {"prefix": "/x", "headers": [{"name": "end-user", "stringMatch": {"exact": "jason"}}]},
         "route": {"cluster": "two"}},
        {"match": {"prefix": "/x"}, "route": {"cluster": "one"}},
        {"match": {"prefix": "/missing"}, "route": {"cluster": "three"}}
    ]));
    assert_eq!(upstream(&tables, &get("/x", &[("end-user", "jason")])).0, "two");
    assert_eq!(upstream(&tables, &get("/x", &[])).0, "one");
    let nothing = reply(&tables, &get("/y", &[]));
    assert_eq!((nothing.status.as_u16(), nothing.flags.to_string().as_str()), (404, "NR"));
    let missing = reply(&tables, &get("/missing", &[]));
    assert_eq!((missing.status.as_u16(), missing.flags.to_string().as_str()), (503, "NC"));
    assert_eq!(missing.details, "cluster_not_found");
    let elsewhere = Sent { authority: "other.example", ..get("/x", &[]) };
    assert_eq!(reply(&tables, &elsewhere).details, "route_not_found");
}

#[test]
fn weights_share_the_requests() {
    let tables = tables(
        &json!([{"match": {"prefix": "/"}, "route": {"weightedClusters": {"clusters": [
            {"name": "one", "weight": 80, "requestHeadersToAdd": [{"header": {"key": "x-level", "value": "one"}}]},
            {"name": "two", "weight": 20, "hostRewriteLiteral": "two.example"}
        ]}}}]),
    );
    let clusters: Vec<_> =
        (0..100).map(|random| upstream(&tables, &Sent { random, ..get("/", &[]) })).collect();
    assert_eq!(clusters.iter().filter(|(name, ..)| name == "one").count(), 80);
    let (_, _, authority, headers) = &clusters[99];
    assert_eq!(authority, "two.example");
    assert!(!headers.contains_key("x-envoy-original-host"));
    // From the most specific level to the least; the route itself has none.
    let levels: Vec<_> = clusters[0].3.get_all("x-level").collect();
    assert_eq!(levels, ["one", "host", "table"]);
}

#[test]
fn heads_are_rewritten_on_their_way() {
    let tables = tables(&json!([{
        "match": {"prefix": "/api/"},
        "route": {"cluster": "one", "prefixRewrite": "/", "hostRewriteLiteral": "b.example", "timeout": "2s",
                  "retryPolicy": {"retryOn": "5xx", "perTryTimeout": "1s"}},
        "requestHeadersToAdd": [
            {"header": {"key": "x-from", "value": "%REQ(:path)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}},
            {"header": {"key": "x-set", "value": "new"}, "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"},
            {"header": {"key": "x-empty", "value": "%REQ(x-none)%"}}],
        "requestHeadersToRemove": ["x-gone"]
    }]));
    let sent = get("/api/v1?q", &[("x-set", "old"), ("x-gone", "1"), ("x-envoy-max-retries", "9")]);
    let (_, path, authority, headers) = upstream(&tables, &sent);
    assert_eq!((path.as_str(), authority.as_str()), ("/v1?q", "b.example"));
    for (name, value) in [
        ("x-from", "/api/v1?q 10.0.0.1"),
        ("x-set", "new"),
        ("x-envoy-original-path", "/api/v1?q"),
        ("x-envoy-original-host", "a.example:80"),
        ("x-envoy-attempt-count", "1"),
        ("x-envoy-expected-rq-timeout-ms", "1000"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    for name in ["x-gone", "x-empty", "x-envoy-max-retries"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[test]
fn routes_answer_themselves() {
    let tables = tables(&json!([
        {"match": {"path": "/old"}, "redirect": {"pathRedirect": "/new", "responseCode": "FOUND"},
         "responseHeadersToAdd": [{"header": {"key": "x-why", "value": "moved"}}]},
        {"match": {"path": "/made"}, "directResponse": {"status": 201, "body": {"inlineString": "ok"}}}
    ]));
    let moved = reply(&tables, &get("/old?a", &[]));
    assert_eq!((moved.status.as_u16(), &*moved.details), (302, "direct_response"));
    assert_eq!(moved.headers["location"], "http://a.example:80/new?a");
    assert_eq!(moved.headers["x-why"], "moved");
    let made = reply(&tables, &get("/made", &[]));
    assert_eq!(made.headers["location"], "http://a.example:80/made");
    assert_eq!(made.body, "ok");
    let tls = reply(&tables, &Sent { authority: "tls.example", ..get("/x?y", &[]) });
    assert_eq!(tls.status, 301);
    assert_eq!(tls.headers["location"], "https://tls.example/x?y");
}

#[test]
fn faults_come_before_everything_a_route_does() {
    let fault = json!({"@type": FAULT,
        "delay": {"fixedDelay": "7s", "percentage": {"numerator": 50}},
        "abort": {"httpStatus": 418, "percentage": {"numerator": 30}}});
    let tables = tables(&json!([{"match": {"prefix": "/"}, "route": {"cluster": "one"},
        "typedPerFilterConfig": {"envoy.filters.http.fault": fault}}]));
    let of =
        |random| with_head(&get("/", &[]), |head| decided(&tables, head, random, &mut NoTrace));
    let Decision::Reply(aborted) = of(10) else { panic!("not aborted") };
    assert_eq!((aborted.status.as_u16(), aborted.delay), (418, Some(Duration::from_secs(7))));
    assert_eq!(
        (aborted.flags.to_string().as_str(), &*aborted.body),
        ("DI,FI", &b"fault filter abort"[..])
    );
    let Decision::Forward(delayed) = of(40) else { panic!("aborted") };
    assert_eq!(
        (delayed.delay, delayed.flags.to_string().as_str()),
        (Some(Duration::from_secs(7)), "DI")
    );
    let Decision::Forward(untouched) = of(90) else { panic!("aborted") };
    assert_eq!((untouched.delay, untouched.flags.is_empty()), (None, true));
}

#[test]
fn preflight_requests_are_answered() {
    let cors = json!({"@type": CORS, "allowOriginStringMatch": [{"exact": "https://ui"}], "allowMethods": "GET",
        "allowCredentials": true, "maxAge": "60", "forwardNotMatchingPreflights": true});
    let tables = tables(&json!([{"match": {"prefix": "/"}, "route": {"cluster": "one"},
        "typedPerFilterConfig": {"envoy.filters.http.cors": cors}}]));
    let preflight = |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "GET")];
        let sent = Sent { method: Method::OPTIONS, headers: &headers, ..get("/", &[]) };
        with_head(&sent, |head| decided(&tables, head, 0, &mut NoTrace))
    };
    let Decision::Reply(answer) = preflight("https://ui") else { panic!("forwarded") };
    assert_eq!((answer.status.as_u16(), &*answer.details), (200, "cors_response"));
    assert_eq!(answer.headers["access-control-allow-origin"], "https://ui");
    assert_eq!(answer.headers["access-control-max-age"], "60");
    assert!(matches!(preflight("https://other"), Decision::Forward(_)));
    with_head(&get("/", &[("origin", "https://ui")]), |head| {
        let Decision::Forward(forward) = decided(&tables, head, 0, &mut NoTrace) else {
            panic!("answered")
        };
        let mut headers = Headers::new();
        forward.apply_response_headers(&mut headers, head, &Exchange::default());
        assert_eq!(headers["access-control-allow-origin"], "https://ui");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert!(!headers.contains_key("access-control-max-age"));
    });
}

#[test]
fn only_configured_upgrades_are_let_through() {
    let tables = tables(&json!([
        {"match": {"prefix": "/no"}, "route": {"cluster": "one", "upgradeConfigs": [{"upgradeType": "websocket", "enabled": false}]}},
        {"match": {"prefix": "/"}, "route": {"cluster": "one"}}
    ]));
    let asking = |protocol| [("connection", "Upgrade"), ("upgrade", protocol)];
    assert_eq!(upstream(&tables, &get("/", &asking("WebSocket"))).0, "one");
    assert_eq!(reply(&tables, &get("/", &asking("foo"))).status, 403);
    assert_eq!(reply(&tables, &get("/no", &asking("websocket"))).status, 403);
    assert_eq!(upstream(&tables, &get("/", &[("upgrade", "foo")])).0, "one");
}

#[test]
fn a_listener_hears_how_it_came_to_that() {
    #[derive(Default)]
    struct Heard(Vec<String>);
    impl Trace for Heard {
        fn virtual_host(
            &mut self,
            authority: &str,
            chosen: Option<&crate::virtual_host::VirtualHost>,
        ) {
            self.0.push(format!("{authority} -> {:?}", chosen.map(|host| &*host.settings.name)));
        }
        fn route(&mut self, index: usize, _: &crate::route::RouteEntry) {
            self.0.push(format!("route {index}"));
        }
        fn weighted_cluster(&mut self, index: usize, cluster: &str, draw: u64, total: u64) {
            self.0.push(format!("{index} {cluster} {draw}/{total}"));
        }
        fn cluster(&mut self, name: &str, exists: bool) {
            self.0.push(format!("{name} {exists}"));
        }
    }
    let tables = tables(&json!([
        {"match": {"path": "/x"}, "route": {"cluster": "one"}},
        {"match": {"prefix": "/"}, "route": {"weightedClusters": {"clusters": [{"name": "one", "weight": 1},
            {"name": "gone", "weight": 3}]}}}
    ]));
    let mut heard = Heard::default();
    with_head(&get("/", &[]), |head| decided(&tables, head, 2, &mut heard));
    assert_eq!(
        heard.0,
        ["a.example:80 -> Some(\"v\")", "route 0", "route 1", "1 gone 2/4", "gone false"]
    );
}
