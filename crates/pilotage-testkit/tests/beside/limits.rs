//! Limits on clients' connections, and trailers over HTTP/1. What is compared is what a client reads until the connection
//! ends, and what the upstream gets; how long it takes is only bounded.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::pair::{Pair, Side, cluster, listener, log_of_outcomes, serving};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);
const GET: &str = "GET /d HTTP/1.1\r\nhost: a\r\n\r\n";
const CLOSING: &str = "POST /trailers HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
     transfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nx-a: b\r\n\r\n";

/// What a client says to a listener, one after the other; an answer is awaited between two parts.
const CONVERSATIONS: [(&str, &[&str]); 14] = [
    ("idle", &[]),
    ("idle", &[GET]),
    ("idle", &[GET, GET]),
    ("head", &["GET /d HT"]),
    ("head", &[GET, "GET /d HTTP/1.1\r\nhos"]),
    ("request", &["POST / HTTP"]),
    ("aged", &[]),
    ("aged", &[GET]),
    ("counted", &[GET, GET]),
    ("few", &["GET /d HTTP/1.1\r\nhost: a\r\na: b\r\nc: d\r\ne: f\r\ng: h\r\n\r\n"]),
    ("tried", &["GET /hang HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"]),
    ("trailers", &[CLOSING]),
    ("client-trailers", &[CLOSING]),
    ("none", &[CLOSING]),
];

#[test]
fn limits_and_trailers_are_obeyed_as_in_envoy() {
    let got = Arc::<Mutex<Vec<String>>>::default();
    let upstream = upstream(Arc::clone(&got));
    let mut trailing = cluster("trailing", &[upstream]);
    trailing["typedExtensionProtocolOptions"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicitHttpConfig": {"httpProtocolOptions": {"enableTrailers": true}},
        },
    });
    let Some(pair) = Pair::start(&listeners(), &[cluster("up", &[upstream]), trailing]) else {
        return;
    };
    let [theirs, ours] = pair.sides().map(|side| {
        let told: Vec<_> =
            CONVERSATIONS.iter().map(|(name, parts)| talk(side, name, parts)).collect();
        let logged = side.log(15);
        (told, std::mem::take(&mut *got.lock().unwrap()), logged)
    });
    for (index, (name, parts)) in CONVERSATIONS.iter().enumerate() {
        assert_eq!(theirs.0[index], ours.0[index], "{name} {parts:?}: Envoy, we");
    }
    assert_eq!(theirs.1, ours.1, "what upstreams get");
    assert_eq!(theirs.2, ours.2, "what is logged");
    assert!(ours.1.iter().any(|body| body.ends_with("x-a: b\r\n\r\n")), "{:?}", ours.1);
    assert!(ours.0[11].contains("x-t: after") && !ours.0[13].contains("x-t: after"), "{ours:?}");
}

/// Everything that the client reads until the connection ends, times masked.
fn talk(side: &Side, listener: &str, parts: &[&str]) -> String {
    let mut stream = TcpStream::connect(side.listeners[listener]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    for (index, part) in parts.iter().enumerate() {
        stream.write_all(part.as_bytes()).unwrap();
        if index + 1 < parts.len() {
            let read = stream.read(&mut piece).unwrap();
            heard.extend_from_slice(&piece[..read]);
        }
    }
    stream.read_to_end(&mut heard).unwrap();
    let text = String::from_utf8(heard).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    lines.retain(|line| {
        !line.starts_with("date: ") && !line.starts_with("x-envoy-upstream-service-time")
    });
    // Headers come in whichever order.
    lines.sort_unstable();
    lines.concat()
}

fn listeners() -> Vec<Value> {
    let common =
        |fields: Value| json!({"commonHttpProtocolOptions": fields, "drainTimeout": "0.1s"});
    let trailers = || json!({"httpProtocolOptions": {"enableTrailers": true}});
    let listeners = [
        ("idle", "up", common(json!({"idleTimeout": "0.3s"}))),
        ("head", "up", json!({"requestHeadersTimeout": "0.2s"})),
        ("request", "up", json!({"requestTimeout": "0.2s"})),
        ("aged", "up", common(json!({"maxConnectionDuration": "0.2s"}))),
        ("counted", "up", common(json!({"maxRequestsPerConnection": 2}))),
        ("few", "up", common(json!({"maxHeadersCount": 4}))),
        ("tried", "up", json!({})),
        ("trailers", "trailing", trailers()),
        ("client-trailers", "up", trailers()),
        ("none", "trailing", json!({})),
    ];
    let listener = |(name, cluster, mut more): (&str, &str, Value)| {
        more["delayedCloseTimeout"] = json!("0.1s");
        more["accessLog"] = log_of_outcomes();
        let policy = json!({"retryOn": "5xx", "numRetries": 1, "perTryIdleTimeout": "0.1s"});
        let routes = json!([
            {"match": {"prefix": "/d"}, "directResponse": {"status": 200, "body": {"inlineString": "hi"}}},
            {"match": {"prefix": "/hang"}, "route": {"cluster": cluster, "retryPolicy": policy}},
            {"match": {"prefix": "/"}, "route": {"cluster": cluster}},
        ]);
        listener(name, routes, more)
    };
    listeners.into_iter().map(listener).collect()
}

/// An upstream that notes the bodies it gets, and answers with trailers, or not at all.
fn upstream(got: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    serving(move |stream| serve(stream, &got))
}

fn serve(mut stream: TcpStream, got: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
        if text.starts_with("GET /hang") {
            continue;
        }
        let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.contains("\r\n0\r\n") && body.ends_with("\r\n\r\n") {
            got.lock().unwrap().push(body.to_owned());
            text.clear();
            stream.write_all(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-t: after\r\n\r\n",
            )?;
        }
    }
}
