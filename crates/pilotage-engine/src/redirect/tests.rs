use http::{Method, Version};
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::Redirect;
use crate::headers::Headers;
use crate::request::{Downstream, RequestHead};

fn location(redirect: &Value, authority: &str, path: &str) -> String {
    let redirect = Redirect::compile(&from_value(redirect).unwrap()).unwrap();
    let headers = Headers::new();
    let downstream = Downstream::plain(([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
    let head = RequestHead {
        method: &Method::GET,
        scheme: "http",
        authority,
        path,
        version: Version::HTTP_11,
        headers: &headers,
        downstream: &downstream,
        client: downstream.peer,
        metadata: None,
    };
    redirect.location(&head, 4)
}

#[test]
fn locations() {
    for (redirect, authority, path, expected) in [
        (json!({"pathRedirect": "/foo"}), "b", "/x", "http://b/foo"),
        (json!({"pathRedirect": "/foo"}), "b:80", "/x?q=1", "http://b:80/foo?q=1"),
        (json!({"pathRedirect": "/foo?a=b"}), "b", "/x?q=1", "http://b/foo?a=b"),
        (json!({"pathRedirect": "/foo", "portRedirect": 85}), "b:80", "/", "http://b:85/foo"),
        (json!({"schemeRedirect": "https"}), "b:80", "/x", "https://b/x"),
        (json!({"schemeRedirect": "https"}), "b:8080", "/x", "https://b:8080/x"),
        (json!({"httpsRedirect": true, "portRedirect": 80}), "b", "/", "https://b:80/"),
        (json!({"schemeRedirect": "http"}), "b:80", "/x", "http://b:80/x"),
        (json!({"hostRedirect": "c.example"}), "b:80", "/x?y", "http://c.example/x?y"),
        (json!({"hostRedirect": "c", "stripQuery": true}), "b", "/x?y", "http://c/x"),
        (json!({"prefixRewrite": "/new"}), "b", "/old/1?q", "http://b/new/1?q"),
        (
            json!({"regexRewrite": {"pattern": {"regex": "^/([a-z]+)/"}, "substitution": "/x/\\1/"}}),
            "b",
            "/old/1?q",
            "http://b/x/old/1?q",
        ),
        (json!({"schemeRedirect": "https"}), "[::1]:80", "/", "https://[::1]/"),
        (json!({}), "[::1]", "/", "http://[::1]/"),
    ] {
        assert_eq!(location(&redirect, authority, path), expected, "{redirect} {authority} {path}");
    }
}
