//! HTTP/1 connections: several requests at once, bodies of any size, and what is refused.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::json;

use super::client::Client;
use super::mesh::Mesh;
use super::upstream::Upstream;

/// Answers with what it was asked for.
fn mirror() -> Upstream {
    Upstream::script(|_, conversation| {
        while let Some(head) = conversation.request() {
            conversation.answer(200, &head);
        }
    })
}

#[test]
fn requests_sent_together_are_answered_in_order() {
    let upstream = mirror();
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    let requests: String =
        (0..20).map(|number| format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
    client.send(&requests);
    for number in 0..20 {
        let reply = client.reply();
        assert!(reply.body.starts_with(&format!("GET /{number} HTTP/1.1\n")), "{}", reply.body);
    }
    proxy.finish();
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let upstream = mirror();
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    for byte in "\r\nGET /slow HTTP/1.1\r\nhost: a\r\nx-a: b\r\n\r\n".bytes() {
        client.reader.get_mut().write_all(&[byte]).unwrap();
    }
    assert!(client.reply().body.contains("x-a: b"));
    proxy.finish();
}

#[test]
fn a_client_that_asks_is_told_to_go_on() {
    let upstream = Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert!(!head.contains("expect:"), "{head}");
        let body = conversation.0.exactly(3);
        conversation.answer(200, &body);
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("abc");
    assert_eq!(client.reply().body, "abc");
    proxy.finish();
}

#[test]
fn or_the_upstream_tells_it() {
    let upstream = Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert!(head.contains("expect: 100-continue"), "{head}");
        conversation.say("HTTP/1.1 100 Continue\r\n\r\n");
        let body = conversation.0.exactly(3);
        conversation.answer(200, &body);
    });
    let proxy = Mesh::simple(&[upstream.address])
        .manager("gateway", json!({"proxy100Continue": true}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("abc");
    assert_eq!(client.reply().body, "abc");
    proxy.finish();
}

#[test]
fn an_upload_goes_on_while_the_answer_comes() {
    let (all, wait_all) = channel();
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        assert_eq!(conversation.0.chunk().unwrap(), "one");
        conversation.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        assert_eq!(conversation.0.chunk().unwrap(), "two");
        assert_eq!(conversation.0.chunk(), None);
        all.send(()).unwrap();
        conversation.say("4\r\nlast\r\n0\r\n\r\n");
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), "first");
    client.send("3\r\ntwo\r\n0\r\n\r\n");
    wait_all.recv().unwrap();
    assert_eq!(client.chunk().unwrap(), "last");
    assert_eq!(client.chunk(), None);
    proxy.finish();
}

#[test]
fn a_client_that_ends_its_direction_has_left() {
    let (entered, wait_entered) = channel();
    let (left, wait_left) = channel();
    let left = Mutex::new(left);
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        entered.send(()).unwrap();
        assert_eq!(conversation.request(), None);
        left.lock().unwrap().send(()).unwrap();
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    for head in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",
    ] {
        let mut client = Client::connect(proxy.gateway());
        client.send(head);
        wait_entered.recv().unwrap();
        client.reader.get_mut().shutdown(Shutdown::Write).unwrap();
        assert!(client.closed());
    }
    wait_left.recv().unwrap();
    let log = proxy.finish();
    for line in &log {
        assert_eq!(line["response_code"], 0);
        assert_eq!(line["response_flags"], "DC");
    }
    assert_eq!(log.len(), 2);
}

#[test]
fn messages_that_end_in_two_ways_are_refused() {
    let upstream = mirror();
    let proxy = Mesh::simple(&[upstream.address]).start();
    for (text, status) in [
        ("content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400),
        ("content-length: 0\r\ncontent-length: 0\r\n\r\n", 400),
        ("content-length: 3, 3\r\n\r\nabc", 400),
        ("content-length: +3\r\n\r\nabc", 400),
        ("transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("transfer-encoding: chunked\r\n\r\n3 \r\nabc\r\nG\r\n\r\n", 400),
        ("content-length : 3\r\n\r\nabc", 400),
    ] {
        let mut client = Client::connect(proxy.gateway());
        client.send(&format!("POST / HTTP/1.1\r\nhost: a\r\n{text}"));
        let reply = client.reply();
        assert_eq!(reply.status, status, "{text:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{text:?}");
        assert!(client.closed(), "{text:?}");
    }
    let log = proxy.finish();
    assert!(log.iter().all(|line| line["response_flags"] == "DPE"), "{log:?}");
}

#[test]
fn limits_of_heads_are_those_of_the_listener() {
    let upstream = mirror();
    let proxy = Mesh::simple(&[upstream.address])
        .manager(
            "gateway",
            json!({
                "maxRequestHeadersKb": 8,
                "commonHttpProtocolOptions": {"maxHeadersCount": 5},
            }),
        )
        .start();
    let status = |headers: String| {
        let mut client = Client::connect(proxy.gateway());
        client.send(&format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n"));
        client.reply().status
    };
    assert_eq!(status(format!("x: {}\r\n", "y".repeat(7000))), 200);
    assert_eq!(status(format!("x: {}\r\n", "y".repeat(9000))), 431);
    assert_eq!(status("x: y\r\n".repeat(4)), 200);
    assert_eq!(status("x: y\r\n".repeat(6)), 431);
    proxy.finish();
}

#[test]
fn an_old_client_is_served_where_it_may_be() {
    let upstream = Upstream::script(|_, conversation| {
        conversation.request();
        conversation.say("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    let proxy = Mesh::simple(&[upstream.address])
        .manager("gateway", json!({"httpProtocolOptions": {"acceptHttp10": true}}))
        .start();
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    let mut text = String::new();
    client.reader.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nuntil the end"), "{text}");
    proxy.finish();
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn large_bodies_need_no_large_memory() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 1024;
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        let mut piece = vec![0; PIECE];
        for _ in 0..PIECES {
            conversation.0.reader.read_exact(&mut piece).unwrap();
        }
        let length = PIECES * PIECE;
        conversation.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"));
        for _ in 0..PIECES {
            conversation.0.reader.get_mut().write_all(&piece).unwrap();
        }
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let before = peak_kib();
    let mut client = Client::connect(proxy.gateway());
    let length = PIECES * PIECE;
    client.send(&format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n"));
    let mut piece = vec![b'x'; PIECE];
    for _ in 0..PIECES {
        client.reader.get_mut().write_all(&piece).unwrap();
    }
    assert_eq!(client.head().status, 200);
    for _ in 0..PIECES {
        client.reader.read_exact(&mut piece).unwrap();
    }
    // The test's own pieces, the proxy's buffers, and what other tests need at the same time.
    let grown = peak_kib() - before;
    assert!(grown < 160 * 1024, "{grown} KiB more for {length} bytes");
    let log = proxy.finish();
    assert_eq!(log.last().unwrap()["bytes_sent"], length);
}
