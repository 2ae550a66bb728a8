//! How many streams a connection to an upstream carries, and how many headers its answers may have.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use h2::server::Builder;
use http::Response;
use serde_json::json;
use tokio::runtime::Runtime;

use super::client::Client;
use super::http2_peers::{connect, get, mesh, ok, upstream, waiting};
use super::mesh::{Mesh, http2_options_with};
use super::upstream::Upstream;

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn an_upstream_with_few_streams_gets_more_connections() {
    let runtime = Runtime::new().unwrap();
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    let (address, connections, mut arrived) = waiting(&runtime, &builder);
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let mut answers = Vec::new();
        let mut calls = Vec::new();
        // The upstream's limit is known once it has answered.
        let (response, _) = client.send_request(get("/0"), true).unwrap();
        ok(arrived.recv().await.unwrap()).await;
        response.await.unwrap();
        for number in 1..=3 {
            let (response, _) = client.send_request(get(&format!("/{number}")), true).unwrap();
            answers.push(response);
            calls.push(arrived.recv().await.unwrap());
        }
        let used: std::collections::BTreeSet<_> = calls.iter().map(|it| it.connection).collect();
        assert_eq!(used.len(), 3, "every stream has a connection to itself");
        for call in calls {
            ok(call).await;
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    proxy.finish();
}

#[test]
fn a_cluster_may_allow_few_streams_of_a_connection() {
    let runtime = Runtime::new().unwrap();
    let (address, connections, mut arrived) = waiting(&runtime, &Builder::new());
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let options = http2_options_with(json!({"maxConcurrentStreams": 2}));
    let proxy = Mesh::gateway(routes).cluster("up", &[address], options).start();
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (mut answers, mut calls) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            answers.push(client.send_request(get("/"), true).unwrap().0);
            calls.push(arrived.recv().await.unwrap());
        }
        assert_eq!(calls.iter().map(|call| call.connection).collect::<Vec<_>>(), [0, 0, 1, 1]);
        for call in calls {
            ok(call).await;
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    proxy.finish();
}

#[test]
fn an_answer_with_too_many_headers_is_not_taken() {
    let runtime = Runtime::new().unwrap();
    let (address, _) = upstream(&runtime, &Builder::new(), 0, |call| async move {
        let count: usize = call.request.uri().path()[1..].parse().unwrap();
        let mut response = Response::new(());
        for number in 0..count {
            let name: http::HeaderName = format!("x-{number}").parse().unwrap();
            response.headers_mut().insert(name, http::HeaderValue::from_static("1"));
        }
        let mut respond = call.respond;
        respond.send_response(response, true).unwrap();
    });
    let proxy = mesh(address, json!({}));
    // With the status there may be a hundred, as in Envoy.
    for (count, expected) in [(99, 200), (100, 503)] {
        let mut client = Client::connect(proxy.gateway());
        assert_eq!(client.get(&format!("/{count}")).status, expected);
    }
    let log = proxy.finish();
    assert_eq!(log[1]["response_flags"], "UR");
    assert_eq!(
        log[1]["response_code_details"],
        "upstream_reset_before_response_started{remote_reset}"
    );
}

/// A frame of this kind with these flags on a stream.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[test]
fn a_head_that_does_not_end_ends_its_connection() {
    let upstream = Upstream::script(|_, conversation| {
        while conversation.request().is_some() {
            conversation.answer(200, "ok");
        }
    });
    let proxy = Mesh::simple(&[upstream.address])
        .manager("gateway", json!({"requestHeadersTimeout": "0.2s"}))
        .start();
    // `:method: GET`, `:scheme: http`, `:path: /` from the table of HPACK, and the authority in letters.
    let block = [0x82, 0x86, 0x84, 0x41, 1, b'a'];
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat();
    let talk = |parts: &[Vec<u8>]| {
        let mut stream = TcpStream::connect(proxy.gateway()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[&preface[..], &parts.concat()].concat()).unwrap();
        let mut kinds = Vec::new();
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).is_err() {
                return kinds;
            }
            let [_, l2, l3, kind, flags, ..] = head;
            let mut payload = vec![0; usize::from(l2) << 8 | usize::from(l3)];
            stream.read_exact(&mut payload).unwrap();
            kinds.push((kind, payload.get(7).copied()));
            // The whole answer is there: this client has what it wants.
            if kind == 0 && flags & 1 != 0 {
                return kinds;
            }
        }
    };
    let goaway = (7, Some(11)); // ENHANCE_YOUR_CALM
    let begun = frame(1, 1, 1, block.get(..3).unwrap());
    let rest = frame(9, 4, 1, block.get(3..).unwrap());
    assert_eq!(talk(std::slice::from_ref(&begun)).last(), Some(&goaway));
    assert_eq!(talk(&[frame(1, 5, 1, &block)[..12].to_vec()]).last(), Some(&goaway));
    let answered = talk(&[begun, rest]);
    assert_eq!(answered.last().map(|(kind, _)| *kind), Some(0), "{answered:?}");
    proxy.finish();
}
