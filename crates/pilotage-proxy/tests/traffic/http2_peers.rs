//! Clients and upstreams that speak HTTP/2 stream by stream.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::mesh::{Mesh, Running, http2_options};

/// A request as an upstream got it.
pub(crate) struct Call {
    /// Number of its connection, counted from 0.
    pub(crate) connection: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

/// An upstream whose streams `answer` serves one after another, and how many connections it has taken. After its
/// `last` stream a connection says that it goes away.
pub(crate) fn upstream<F>(
    runtime: &Runtime,
    builder: &Builder,
    last: usize,
    answer: impl Fn(Call) -> F + Send + Sync + Clone + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counter, builder) = (Arc::clone(&connections), builder.clone());
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = counter.fetch_add(1, Ordering::SeqCst);
            let (answer, builder) = (answer.clone(), builder.clone());
            tokio::spawn(async move {
                let mut server = builder.handshake::<_, Bytes>(stream).await.unwrap();
                let mut taken = 0;
                while let Some(Ok((request, respond))) = server.accept().await {
                    tokio::spawn(answer(Call { connection, request, respond }));
                    taken += 1;
                    if taken == last {
                        server.graceful_shutdown();
                    }
                }
            });
        }
    });
    (address, connections)
}

/// An upstream that leaves it to the test to answer.
pub(crate) fn waiting(
    runtime: &Runtime,
    builder: &Builder,
) -> (SocketAddr, Arc<AtomicUsize>, UnboundedReceiver<Call>) {
    let (seen, arrived) = mpsc::unbounded_channel();
    let (address, connections) = upstream(runtime, builder, 0, move |call| {
        let seen = seen.clone();
        async move {
            seen.send(call).ok();
        }
    });
    (address, connections, arrived)
}

/// A client of `proxy`, ready to ask.
pub(crate) async fn connect(proxy: SocketAddr) -> h2::client::SendRequest<Bytes> {
    let stream = TcpStream::connect(proxy).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a.test{path}")).body(()).unwrap()
}

/// Answers with 200 and no body.
pub(crate) async fn ok(call: Call) {
    let mut respond = call.respond;
    respond.send_response(Response::new(()), true).unwrap();
}

/// A gateway whose only route goes to `upstream` and has these fields more.
pub(crate) fn mesh(upstream: SocketAddr, route: Value) -> Running {
    let mut action = json!({"cluster": "up"});
    for (key, value) in route.as_object().unwrap() {
        action[key] = value.clone();
    }
    let routes = json!([{"match": {"prefix": "/"}, "route": action}]);
    Mesh::gateway(routes).cluster("up", &[upstream], http2_options()).start()
}
