//! How names of headers are spelled over HTTP/1, towards clients and upstreams, in every combination of what listeners
//! and clusters say.

use serde_json::{Value, json};

use super::pair::{Pair, cluster, listener};
use super::scripted::{Got, ask, settled, upstream};

const ANSWERS: [(&str, &str); 3] = [
    (
        "/",
        "HTTP/1.1 200 Fine So Far\r\nServer: Mine\r\nX-FINAL: 1\r\nx-final: 2\r\nETag: x\r\n\
         Content-Length: 2\r\n\r\nhi",
    ),
    (
        "/trailers",
        "HTTP/1.1 200 OK\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailing: 1\r\n\r\n",
    ),
    ("/refused", "HTTP/1.1 503 \r\nX-One: 1\r\nContent-LENGTH: 0\r\n\r\n"),
];

const REQUESTS: [&str; 6] = [
    "GET /a HTTP/1.1\r\nHOST: a\r\nX-One: 1\r\nx-TWO: 2\r\nx_under: 1\r\nX1abc-2d: 1\r\nX-Remove: 1\r\nConnection: close\r\n\r\n",
    "GET /twice HTTP/1.1\r\nHost: a\r\nX-ONE: 1\r\nx-one: 2\r\nConnection: Close\r\n\r\n",
    "POST /trailers HTTP/1.1\r\nHost: a\r\nTransfer-ENCODING: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n0\r\nX-Mine: 1\r\n\r\n",
    "GET /refused HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: close\r\n\r\n",
    "GET /own HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: close\r\n\r\n",
    "GET /bad HTTP/1.1\r\nHost: a\r\nbad name: 1\r\n\r\n",
];

fn kept(more: Value) -> Value {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"headerKeyFormat": {"statefulFormatter": {"name": "preserve_case", "typedConfig": config}}})
}

/// What listeners and clusters can say.
fn formats() -> Vec<(&'static str, Value)> {
    vec![
        ("lower", json!({})),
        ("proper", json!({"headerKeyFormat": {"properCaseWords": {}}})),
        ("kept", kept(json!({}))),
        ("kept-proper", kept(json!({"formatterTypeOnEnvoyHeaders": "PROPER_CASE"}))),
        ("kept-reason", kept(json!({"forwardReasonPhrase": true}))),
    ]
}

#[test]
fn names_are_spelled_as_in_envoy() {
    let got = Got::default();
    let address = upstream(&ANSWERS, &got);
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    for (name, mut format) in formats() {
        format["enableTrailers"] = json!(true);
        let mut built = cluster(name, &[address]);
        built["typedExtensionProtocolOptions"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicitHttpConfig": {"httpProtocolOptions": format.clone()},
            },
        });
        clusters.push(built);
        for (to, _) in formats() {
            let add = |name: &str| json!([{"header": {"key": name, "value": "1"}}]);
            let policy = json!({"retryOn": "5xx", "numRetries": 1});
            let routes = json!([
                {"match": {"prefix": "/own"}, "directResponse": {"status": 404}},
                {
                    "match": {"prefix": "/"},
                    "route": {"cluster": to, "retryPolicy": policy},
                    "requestHeadersToAdd": add("X-Ours-Added"),
                    "requestHeadersToRemove": ["x-remove"],
                    "responseHeadersToAdd": add("X-Route-Added"),
                },
            ]);
            let more = json!({"httpProtocolOptions": format.clone()});
            listeners.push(listener(&format!("{name}-{to}"), routes, more));
        }
    }
    let Some(pair) = Pair::start(&listeners, &clusters) else { return };
    let mut spelled = 0;
    for name in pair.ours.listeners.keys() {
        for request in REQUESTS {
            // Both wait a while for the client to hang up, which twice is enough.
            if request.contains("/bad") && !matches!(&**name, "proper-lower" | "kept-kept") {
                continue;
            }
            let [theirs, ours] = pair.sides().map(|side| {
                let heard = settled(&ask(side.listeners[name], request));
                let got = std::mem::take(&mut *got.lock().unwrap());
                (heard, got.iter().map(|got| settled(got)).collect::<Vec<_>>())
            });
            assert_eq!(theirs.0, ours.0, "{name} {request:?}: what the client hears, Envoy, we");
            assert_eq!(theirs.1, ours.1, "{name} {request:?}: what the upstream gets, Envoy, we");
            spelled += usize::from(ours.0.contains("ETag"))
                + usize::from(ours.1.join("").contains("x-TWO"));
        }
    }
    // Three of five formats keep the spelling, of answers (two paths) as of requests (one).
    assert_eq!(spelled, 2 * 3 * 5 + 3 * 5, "messages that kept their spelling");
}
