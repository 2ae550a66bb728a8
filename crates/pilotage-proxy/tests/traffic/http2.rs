//! HTTP/2 on both sides: prior knowledge, trailers, gRPC's own way to report errors.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::mesh::{Mesh, http2_options};
use super::upstream::{Upstream, nowhere};

mod frames {
    //! A body of given frames.

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::{Bytes, Frame, Infallible};

    pub(super) struct Frames(pub(super) std::collections::VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }
}

/// An HTTP/2 upstream that gives the request's body back, with trailers.
fn echo(runtime: &Runtime) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(|request: Request<Incoming>| async move {
                assert_eq!(request.version(), Version::HTTP_2);
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("7"));
                trailers.insert("x-path", HeaderValue::from_str(&path).unwrap());
                if let Some(sent) = body.trailers() {
                    trailers.extend(sent.clone());
                }
                let frames = [Frame::data(body.to_bytes()), Frame::trailers(trailers)];
                let mut response = Response::new(frames::Frames(frames.into()));
                let grpc = HeaderValue::from_static("application/grpc");
                response.headers_mut().insert("content-type", grpc);
                Ok::<_, Infallible>(response)
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, connections)
}

type Sender = hyper::client::conn::http2::SendRequest<frames::Frames>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str) -> Request<frames::Frames> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sent", HeaderValue::from_static("yes"));
    let frames = [Frame::data(Bytes::from("ping")), Frame::trailers(trailers)];
    Request::post(format!("http://echo.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(frames::Frames(frames.into()))
        .unwrap()
}

#[test]
fn trailers_pass_in_both_directions_over_one_connection() {
    let runtime = Runtime::new().unwrap();
    let (upstream, connections) = echo(&runtime);
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[upstream], http2_options()).start();
    runtime.block_on(async {
        let sender = connect(proxy.gateway()).await;
        let calls = (0..20).map(|number| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let path = format!("/{number}");
                let response = sender.send_request(request(&path)).await.unwrap();
                assert_eq!(response.status(), 200);
                let body = response.into_body().collect().await.unwrap();
                let trailers = body.trailers().unwrap().clone();
                assert_eq!(trailers.get("x-path").unwrap(), &path);
                assert_eq!(trailers.get("x-sent").unwrap(), "yes");
                assert_eq!(body.to_bytes(), "ping");
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let metrics = proxy.handle.metrics();
    assert!(metrics.contains("request_protocol=\"grpc\""), "{metrics}");
    assert!(metrics.contains("grpc_response_status=\"7\"} 20"), "{metrics}");
    let log = proxy.finish();
    assert_eq!(log.len(), 20);
    assert_eq!(log[0]["protocol"], "HTTP/2");
}

#[test]
fn a_grpc_client_learns_of_failures_as_grpc_does() {
    let runtime = Runtime::new().unwrap();
    let proxy = Mesh::simple(&[nowhere()]).start();
    runtime.block_on(async {
        let mut sender = connect(proxy.gateway()).await;
        let response = sender.send_request(request("/")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("grpc-status").unwrap(), "14");
        let message = response.headers().get("grpc-message").unwrap().to_str().unwrap();
        assert!(message.contains("remote connection failure"), "{message}");
    });
    proxy.finish();
}

#[test]
fn http2_clients_reach_http1_upstreams() {
    let runtime = Runtime::new().unwrap();
    let upstream = Upstream::script(|_, conversation| {
        while let Some(head) = conversation.request() {
            assert!(head.contains("host: one.test"), "{head}");
            conversation.answer(200, "one");
        }
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    runtime.block_on(async {
        let stream = TcpStream::connect(proxy.gateway()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            let request = Request::get("http://one.test/").body(Full::<Bytes>::default()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "one");
        }
    });
    assert_eq!(upstream.connections(), 1);
    proxy.finish();
}
