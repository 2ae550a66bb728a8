//! Preparing requests and finishing answers.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::{Arrived, finish, prepare};
use crate::env::Env;
use crate::headers::Headers;
use crate::http_manager::HttpManager;
use crate::listener::Direction;
use crate::rejection::Warnings;
use crate::request::Downstream;

fn manager(options: Value) -> HttpManager {
    let mut proto = json!({"rds": {"routeConfigName": "r"}, "httpFilters": [{"name": "envoy.filters.http.router"}]});
    for (key, value) in options.as_object().unwrap() {
        proto[key] = value.clone();
    }
    HttpManager::compile(
        &from_value(&proto).unwrap(),
        Direction::Outbound,
        &mut Warnings::default(),
    )
    .unwrap()
}

fn map(headers: &[(&str, &str)]) -> Headers {
    let mut map = Headers::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

/// Path, authority and headers after preparation, or the status and details of the answer.
fn prepared(
    options: Value,
    path: &str,
    authority: Option<&str>,
    version: Version,
    headers: &[(&str, &str)],
) -> Result<(String, String, Headers, String), (u16, String)> {
    let mut headers = map(headers);
    let downstream =
        Downstream::plain(([198, 51, 100, 7], 4000).into(), ([10, 0, 0, 2], 80).into());
    let mut arrived = Arrived {
        method: &Method::GET,
        scheme: None,
        authority,
        path,
        version,
        headers: &mut headers,
        downstream: &downstream,
    };
    let mut chance = || 7;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
    match prepare(&manager(options), &mut arrived, &mut env) {
        Ok(p) => Ok((p.path.into_owned(), p.authority.into_owned(), headers, p.client.to_string())),
        Err(reply) => Err((reply.status.as_u16(), reply.details.into_owned())),
    }
}

const H1: Version = Version::HTTP_11;

#[test]
fn requests_that_cannot_be_routed_are_answered() {
    let normal = || json!({"normalizePath": true});
    for (options, path, authority, version, expected) in [
        (normal(), "/", None, H1, (400, "missing_host_header")),
        (normal(), "/", Some("a"), Version::HTTP_10, (426, "low_version")),
        (normal(), "x", Some("a"), H1, (404, "absolute_path_rejected")),
        (normal(), "/%00", Some("a"), H1, (400, "path_normalization_failed")),
        (
            json!({"pathWithEscapedSlashesAction": "REJECT_REQUEST"}),
            "/a%2Fb",
            Some("a"),
            H1,
            (400, "path_normalization_failed"),
        ),
        (
            json!({"pathWithEscapedSlashesAction": "UNESCAPE_AND_REDIRECT"}),
            "/a%2Fb",
            Some("a"),
            H1,
            (307, "path_normalization_redirect"),
        ),
        (
            json!({"commonHttpProtocolOptions": {"headersWithUnderscoresAction": "REJECT_REQUEST"}}),
            "/",
            Some("a"),
            H1,
            (400, "http.unexpected_underscore"),
        ),
    ] {
        let answer =
            prepared(options.clone(), path, authority, version, &[("a_b", "1")]).unwrap_err();
        assert_eq!((answer.0, answer.1.as_str()), expected, "{options} {path}");
    }
    let old = json!({"httpProtocolOptions": {"acceptHttp10": true, "defaultHostForHttp10": "d"}});
    assert_eq!(prepared(old, "/", None, Version::HTTP_10, &[]).unwrap().1, "d");
}

#[test]
fn paths_and_hosts_are_normalized_as_configured() {
    for (options, path, expected) in [
        (json!({}), "/a/../b//c", "/a/../b//c"),
        (json!({"normalizePath": true}), "/a/../b//c", "/b//c"),
        (json!({"normalizePath": true, "mergeSlashes": true}), "/a/../b//c?d//e", "/b/c?d//e"),
        (json!({"pathWithEscapedSlashesAction": "UNESCAPE_AND_FORWARD"}), "/a%2fb", "/a/b"),
    ] {
        assert_eq!(prepared(options, path, Some("a"), H1, &[]).unwrap().0, expected, "{path}");
    }
    for (options, authority, expected) in [
        (json!({}), "a.:80", "a.:80"),
        (json!({"stripMatchingHostPort": true}), "a:80", "a"),
        (json!({"stripMatchingHostPort": true}), "a:81", "a:81"),
        (json!({"stripAnyHostPort": true}), "a:81", "a"),
        (json!({"stripTrailingHostDot": true}), "a.:81", "a:81"),
    ] {
        assert_eq!(prepared(options, "/", Some(authority), H1, &[]).unwrap().1, expected);
    }
}

#[test]
fn an_edge_believes_nobody() {
    let sent = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-internal", "true"),
        ("x-request-id", "mine"),
        ("x-forwarded-client-cert", "forged"),
        ("connection", "keep-alive"),
        ("te", "trailers, deflate"),
    ];
    let (_, _, headers, client) =
        prepared(json!({"useRemoteAddress": true}), "/", Some("a"), H1, &sent).unwrap();
    assert_eq!(client, "198.51.100.7:4000");
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.9,198.51.100.7"),
        ("x-forwarded-proto", "http"),
        ("x-envoy-external-address", "198.51.100.7"),
        ("te", "trailers"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_ne!(headers["x-request-id"], "mine");
    for name in ["x-envoy-retry-on", "x-envoy-internal", "x-forwarded-client-cert", "connection"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[test]
fn trusted_hops_move_the_client() {
    let sent = [("x-forwarded-for", "1.1.1.1, 2.2.2.2,3.3.3.3"), ("x-forwarded-proto", "https")];
    let options = json!({"useRemoteAddress": true, "xffNumTrustedHops": 2});
    let (_, _, headers, client) = prepared(options, "/", Some("a"), H1, &sent).unwrap();
    assert_eq!(client, "2.2.2.2:0");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-envoy-external-address"], "2.2.2.2");
}

#[test]
fn a_sidecar_passes_on_what_it_hears() {
    let sent = [("x-forwarded-for", "10.1.1.1"), ("x-request-id", "mine")];
    let range = json!({"cidrRanges": [{"addressPrefix": "10.0.0.0", "prefixLen": 8}]});
    let (_, _, headers, client) =
        prepared(json!({"internalAddressConfig": range}), "/", Some("a"), H1, &sent).unwrap();
    assert_eq!(client, "10.1.1.1:0");
    assert_eq!(headers["x-forwarded-for"], "10.1.1.1");
    assert_eq!(headers["x-request-id"], "mine");
    assert_eq!(headers["x-envoy-internal"], "true");
    let (_, _, headers, _) = prepared(json!({}), "/", Some("a"), H1, &[]).unwrap();
    assert_eq!(headers["x-request-id"].len(), 36);
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert!(!headers.contains_key("x-forwarded-for"));
    // Whoever says that its id is for this hop only is given another.
    let sent = [("x-request-id", "mine"), ("connection", "x-request-id")];
    let (_, _, headers, _) = prepared(json!({}), "/", Some("a"), H1, &sent).unwrap();
    assert_eq!(headers["x-request-id"].len(), 36);
}

#[test]
fn answers_name_their_server() {
    for (transformation, upstream, expected) in [
        ("OVERWRITE", Some("nginx"), Some("istio-envoy")),
        ("APPEND_IF_ABSENT", Some("nginx"), Some("nginx")),
        ("APPEND_IF_ABSENT", None, Some("istio-envoy")),
        ("PASS_THROUGH", None, None),
    ] {
        let options =
            json!({"serverName": "istio-envoy", "serverHeaderTransformation": transformation});
        let mut headers =
            map(&[("connection", "close"), ("keep-alive", "1"), ("upgrade", "websocket")]);
        if let Some(upstream) = upstream {
            headers.insert("server", HeaderValue::from_static(upstream));
        }
        finish(&manager(options), &mut headers, &Headers::new());
        let expected =
            map(&expected.map(|server| ("server", server)).into_iter().collect::<Vec<_>>());
        assert_eq!(headers, expected, "{transformation} {upstream:?}");
    }
}

#[test]
fn client_certificates_are_told_only_by_those_who_have_one() {
    use crate::tls::{Certificate, TlsSession};
    let peer = Certificate { sha256: "aa".to_owned(), ..Certificate::default() };
    let session = TlsSession { peer: Some(Box::new(peer)), ..TlsSession::default() };
    for (mode, mutual, expected) in [
        ("SANITIZE", true, None),
        ("SANITIZE_SET", false, None),
        ("SANITIZE_SET", true, Some("Hash=aa")),
        ("APPEND_FORWARD", false, None),
        ("APPEND_FORWARD", true, Some("By=a;Hash=b,Hash=aa")),
        ("FORWARD_ONLY", false, None),
        ("FORWARD_ONLY", true, Some("By=a;Hash=b")),
        ("ALWAYS_FORWARD_ONLY", false, Some("By=a;Hash=b")),
    ] {
        let mut headers = map(&[("x-forwarded-client-cert", "By=a;Hash=b")]);
        let manager = manager(json!({"forwardClientCertDetails": mode}));
        super::client_cert::forward(&manager, &mut headers, mutual.then_some(&session));
        let told = headers.get("x-forwarded-client-cert").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(told.as_deref(), expected, "{mode} {mutual}");
    }
}
