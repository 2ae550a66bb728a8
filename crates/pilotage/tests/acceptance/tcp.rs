//! Connections that are not HTTP, and those of which nobody has said what they are.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::harness::Answer;
use crate::mesh::{Setup, fixture, free_port, line};
use crate::shares::assert_shares;
use crate::workload::Workload;

/// Starts a server that says each line again, after `prefix`; or answers a request of HTTP, with `prefix`.
fn say_again(prefix: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                loop {
                    let said = line(&mut stream);
                    let is_http = said.ends_with(" HTTP/1.1");
                    while is_http && !line(&mut stream).is_empty() {}
                    let length = prefix.len();
                    let answer = if is_http {
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{prefix}")
                    } else {
                        format!("{prefix} {said}\n")
                    };
                    if said.is_empty() || stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// T7.
#[test]
fn connections_are_shared_out_by_weight() {
    let echoes = [("v1", say_again("one")), ("v2", say_again("two"))]
        .map(|(version, address)| Workload::at("tcp-echo", version, address).port("tcp"));
    let port = free_port();
    let shares = |first: u32| {
        let text = fixture("tcp-shares.yaml").replace("$FIRST", &first.to_string());
        text.replace("$SECOND", &(100 - first).to_string())
    };
    let mut mesh = Setup::new(&echoes)
        .with("tcp-gateway.yaml")
        .text("shares.yaml", &shares(100))
        .value("PORT", port)
        .start();
    let connections = |count: usize| -> Vec<Answer> {
        let one = |_| {
            let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
            stream.get_mut().write_all(b"now\nlater\n").unwrap();
            let (now, later) = (line(&mut stream), line(&mut stream));
            // All of a connection goes to one place.
            assert_eq!(now.replace("now", "later"), later);
            Answer { status: 200, body: now }
        };
        (0..count).map(one).collect()
    };
    assert_shares(&connections(20), &[("one now", 100.0)]);
    mesh.apply("shares.yaml", &shares(80));
    assert_shares(&connections(500), &[("one now", 80.0), ("two now", 20.0)]);
}

/// T40.
#[test]
fn rules_for_http_hold_where_http_is_found() {
    let be = Workload::at("be", "v1", say_again("one")).port("");
    let mesh = Setup::new([&be]).with("sniffed.yaml").start();
    let ruled = mesh.curl(&["--proxytunnel", "http://be:8000/ruled"]);
    assert_eq!(ruled.summary(), (299, "by a rule"));
    assert_eq!(mesh.curl(&["--proxytunnel", "http://be:8000/"]).summary(), (200, "one"));
    // The same port, other bytes.
    let mut stream = mesh.connect("be:8000");
    stream.get_mut().write_all(b"/ruled\n").unwrap();
    assert_eq!(line(&mut stream), "one /ruled");
    drop(stream);
    mesh.logged(&["\"GET /ruled HTTP/1.1\" 299 "]);
    mesh.logged(&["\"- - -\" 0 ", "outbound|8000||be.default.svc.cluster.local"]);
}
