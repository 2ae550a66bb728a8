//! HTTP/2 stream by stream: resets, GOAWAY and windows, on both sides of the proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::Builder;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::http2_peers::{connect, get, mesh, ok, upstream, waiting};
use super::mesh::{Mesh, http2_options_with};

/// Reads a body to its end, as slowly as its sender notices.
async fn drain(body: &mut RecvStream) -> Result<usize, h2::Error> {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
        tokio::task::yield_now().await;
    }
    Ok(length)
}

#[test]
fn a_refused_stream_is_tried_again() {
    let runtime = Runtime::new().unwrap();
    let calls = AtomicUsize::new(0);
    let calls = Arc::new(calls);
    let counter = Arc::clone(&calls);
    let (address, _) = upstream(&runtime, &Builder::new(), 0, move |mut call| {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                call.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                ok(call).await;
            }
        }
    });
    let proxy = mesh(address, json!({"retryPolicy": {"retryOn": "refused-stream"}}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    proxy.finish();
}

#[test]
fn a_reset_before_the_answer_has_envoys_words() {
    let runtime = Runtime::new().unwrap();
    let (address, _) = upstream(&runtime, &Builder::new(), 0, |mut call| async move {
        call.respond.send_reset(Reason::INTERNAL_ERROR);
    });
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 503);
    });
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UR");
    let details = "upstream_reset_before_response_started{remote_reset}";
    assert_eq!(log[0]["response_code_details"], details);
}

#[test]
fn an_upstream_that_goes_away_gets_no_new_streams() {
    let runtime = Runtime::new().unwrap();
    let (address, connections) = upstream(&runtime, &Builder::new(), 2, ok);
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        for _ in 0..7 {
            let (response, _) = client.send_request(get("/"), true).unwrap();
            assert_eq!(response.await.unwrap().status(), 200);
        }
    });
    assert!(connections.load(Ordering::SeqCst) >= 3);
    proxy.finish();
}

#[test]
fn an_upstream_that_answers_no_ping_is_given_up() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    // Takes everything and never says a word.
    runtime.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
    });
    let pings = json!({"connectionKeepalive": {"interval": "0.02s", "timeout": "0.02s"}});
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let mesh = Mesh::gateway(routes).cluster("up", &[address], http2_options_with(pings));
    let proxy = mesh.start();
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 503);
    });
    assert_eq!(proxy.finish()[0]["response_flags"], "UC");
}

#[test]
fn a_client_that_gives_up_resets_the_upstream() {
    let runtime = Runtime::new().unwrap();
    let (address, _, mut arrived) = waiting(&runtime, &Builder::new());
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, mut stream) = client.send_request(get("/"), false).unwrap();
        let mut call = arrived.recv().await.unwrap();
        stream.send_reset(Reason::CANCEL);
        drop(response);
        let reason = std::future::poll_fn(|cx| call.respond.poll_reset(cx)).await.unwrap();
        assert_eq!(reason, Reason::CANCEL);
        // The connection is as good as before.
        let (response, _) = client.send_request(get("/"), true).unwrap();
        ok(arrived.recv().await.unwrap()).await;
        assert_eq!(response.await.unwrap().status(), 200);
    });
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "DR");
    assert_eq!(log[0]["response_code_details"], "http2.remote_reset");
    assert_eq!(log[1]["response_code"], 200);
}

#[test]
fn long_bodies_go_both_ways_at_once() {
    const LENGTH: usize = 12 * 1024 * 1024;
    let runtime = Runtime::new().unwrap();
    let (address, _) = upstream(&runtime, &Builder::new(), 0, |mut call| async move {
        let mut back = call.respond.send_response(Response::new(()), false).unwrap();
        let mut body = call.request.into_body();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            back.reserve_capacity(data.len());
            while back.capacity() < data.len() {
                std::future::poll_fn(|cx| back.poll_capacity(cx)).await.unwrap().unwrap();
            }
            back.send_data(data, false).unwrap();
        }
        back.send_data(Bytes::new(), true).unwrap();
    });
    let proxy = mesh(address, json!({"timeout": "0s"}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, mut stream) = client.send_request(get("/"), false).unwrap();
        let sender = tokio::spawn(async move {
            let part = Bytes::from(vec![b'x'; 64 * 1024]);
            for left in (0..LENGTH / part.len()).rev() {
                stream.reserve_capacity(part.len());
                while stream.capacity() < part.len() {
                    std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
                }
                stream.send_data(part.clone(), left == 0).unwrap();
            }
        });
        let mut response = response.await.unwrap();
        assert_eq!(drain(response.body_mut()).await.unwrap(), LENGTH);
        sender.await.unwrap();
    });
    let log = proxy.finish();
    assert_eq!(log[0]["bytes_received"], LENGTH);
    assert_eq!(log[0]["bytes_sent"], LENGTH);
}

#[test]
fn an_answer_that_breaks_off_is_reset() {
    let runtime = Runtime::new().unwrap();
    let (address, _) = upstream(&runtime, &Builder::new(), 0, |mut call| async move {
        let mut stream = call.respond.send_response(Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"half"), false).unwrap();
        let mut body = call.request.into_body();
        assert!(body.data().await.is_some(), "the client has read the first half");
        stream.send_reset(Reason::INTERNAL_ERROR);
    });
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let (response, mut stream) = client.send_request(get("/"), false).unwrap();
        let mut response = response.await.unwrap();
        let body = response.body_mut();
        assert_eq!(body.data().await.unwrap().unwrap(), "half");
        stream.send_data(Bytes::from_static(b"go on"), false).unwrap();
        let error = drain(body).await.unwrap_err();
        assert!(error.is_reset() && error.is_remote(), "{error}");
    });
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "UR");
}

#[test]
fn a_client_may_ask_whether_to_go_on() {
    let runtime = Runtime::new().unwrap();
    let (address, _) = upstream(&runtime, &Builder::new(), 0, |call| async move {
        assert!(!call.request.headers().contains_key("expect"));
        let mut respond = call.respond;
        assert_eq!(drain(&mut call.request.into_body()).await.unwrap(), 4);
        respond.send_response(Response::new(()), true).unwrap();
    });
    let proxy = mesh(address, json!({}));
    runtime.block_on(async {
        let mut client = connect(proxy.gateway()).await;
        let request = Request::put("http://a.test/").header("expect", "100-continue").body(());
        let (mut response, mut stream) = client.send_request(request.unwrap(), false).unwrap();
        let go_on = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(go_on.unwrap().unwrap().status(), 100);
        stream.send_data(Bytes::from_static(b"body"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
    proxy.finish();
}

#[test]
fn a_drain_lets_streams_end_and_takes_no_more() {
    let runtime = Runtime::new().unwrap();
    let (address, _, mut arrived) = waiting(&runtime, &Builder::new());
    let proxy = mesh(address, json!({}));
    let gateway = proxy.gateway();
    let (mut client, response, call) = runtime.block_on(async {
        let mut client = connect(gateway).await;
        let (response, _) = client.send_request(get("/"), true).unwrap();
        let call = arrived.recv().await.unwrap();
        (client, response, call)
    });
    let draining = std::thread::spawn(move || proxy.finish());
    runtime.block_on(async {
        // GOAWAY has arrived when the client takes no new request.
        let refused = std::future::poll_fn(|cx| match client.poll_ready(cx) {
            std::task::Poll::Ready(Err(error)) => std::task::Poll::Ready(error),
            _ => {
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        });
        let refused = refused.await;
        assert_eq!(refused.reason(), Some(Reason::NO_ERROR), "{refused}");
        ok(call).await;
        assert_eq!(response.await.unwrap().status(), 200);
    });
    let log = draining.join().unwrap();
    assert_eq!(log[0]["response_code"], 200);
}
