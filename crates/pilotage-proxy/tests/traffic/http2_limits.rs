//! How many streams a connection to an upstream carries, and how many headers its answers may have.

use std::sync::atomic::Ordering;

use h2::server::Builder;
use http::Response;
use serde_json::json;
use tokio::runtime::Runtime;

use super::client::Client;
use super::http2_peers::{connect, get, mesh, ok, upstream, waiting};
use super::mesh::{Mesh, http2_options_with};

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
