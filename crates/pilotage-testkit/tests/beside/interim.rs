//! Answers that come before the answer: which are passed on, and what comes of retries.

use serde_json::{Value, json};

use super::pair::{Pair, cluster, listener, log_of_outcomes};
use super::scripted::{Got, ask, settled, upstream};

const ANSWERS: [(&str, &str); 19] = [
    ("/", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"),
    (
        "/100",
        "HTTP/1.1 100 Continue\r\nx-hint: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    ("/102", "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    (
        "/103",
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nlink: </b.css>\r\nServer: me\r\nConnection: close\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    ("/104", "HTTP/1.1 104 U\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("/105", "HTTP/1.1 105 What\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("/199", "HTTP/1.1 199 What\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    (
        "/several",
        "HTTP/1.1 103 E\r\na: b\r\n\r\nHTTP/1.1 103 E\r\nc: d\r\n\r\nHTTP/1.1 102 P\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "/length",
        "HTTP/1.1 103 E\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "/zero",
        "HTTP/1.1 103 E\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "/coding",
        "HTTP/1.1 103 E\r\ntransfer-encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ),
    ("/gone", "HTTP/1.1 103 E\r\na: b\r\n\r\n\0"),
    ("/refused", "HTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"),
    ("/refused-103", "HTTP/1.1 103 E\r\na: b\r\n\r\nHTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"),
    ("/refused-105", "HTTP/1.1 105 E\r\na: b\r\n\r\nHTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"),
    ("/204-length", "HTTP/1.1 204 N\r\ncontent-length: 5\r\n\r\n"),
    ("/204-zero", "HTTP/1.1 204 N\r\ncontent-length: 0\r\n\r\n"),
    ("/204-coding", "HTTP/1.1 204 N\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("/304-coding", "HTTP/1.1 304 N\r\ntransfer-encoding: chunked\r\n\r\n"),
];

fn listeners() -> Vec<Value> {
    let policy = json!({"retryOn": "5xx,reset", "numRetries": 1});
    let routes =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "up", "retryPolicy": policy}}]);
    [("kept", false), ("passed", true)]
        .into_iter()
        .map(|(name, passed)| {
            let more = json!({
                "proxy100Continue": passed,
                "accessLog": log_of_outcomes(),
                "httpProtocolOptions": {"acceptHttp10": true},
            });
            listener(name, routes.clone(), more)
        })
        .collect()
}

/// A text in which statuses of HTTP stand without their phrases: Envoy knows no words for hints.
fn without_phrases(text: &str) -> String {
    let line = |line: &str| match line.starts_with("HTTP/1.") {
        true => line.split(' ').take(2).collect::<Vec<_>>().join(" "),
        false => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn interim_answers_are_passed_on_as_in_envoy() {
    let got = Got::default();
    let address = upstream(&ANSWERS, &got);
    let Some(pair) = Pair::start(&listeners(), &[cluster("up", &[address])]) else { return };
    let mut requests = Vec::new();
    for (path, _) in ANSWERS {
        requests.push(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    }
    for path in ["/", "/100", "/103"] {
        requests.push(format!("GET {path} HTTP/1.0\r\nhost: a\r\n\r\n"));
        requests.push(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        ));
    }
    let mut passed = 0;
    for name in ["kept", "passed"] {
        for request in &requests {
            let [theirs, ours] = pair.sides().map(|side| {
                let heard = without_phrases(&settled(&ask(side.listeners[name], request)));
                (heard, std::mem::take(&mut *got.lock().unwrap()).len())
            });
            assert_eq!(theirs, ours, "{name} {request:?}: Envoy, we");
            passed += usize::from(ours.0.starts_with("HTTP/1.1 103"));
        }
    }
    let lines = 2 * requests.len();
    let [theirs, ours] = pair.sides().map(|side| side.log(lines));
    assert_eq!(theirs, ours, "what is logged");
    assert_eq!(passed, 6, "hints that came");
}
