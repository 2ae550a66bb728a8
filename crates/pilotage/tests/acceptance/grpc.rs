//! gRPC as bytes over HTTP/2: a server that answers as a test tells it, and a client.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Of HTTP.
    pub(crate) status: u16,
    /// Of gRPC; empty when nobody said it.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The message that came back.
    pub(crate) reply: String,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Starts a server that ends each call with the code that `code` says for the call's path and headers, and says the
/// message again when that is 0.
pub(crate) fn serve(code: impl Fn(&Request<()>) -> u32 + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (address, code) = (listener.local_addr().unwrap(), Arc::new(code));
    thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let code = Arc::clone(&code);
                tokio::spawn(async move {
                    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let (head, body) = request.into_parts();
                        let code = code(&Request::from_parts(head, ()));
                        // The client may be gone.
                        tokio::spawn(async move { answer(code, body, respond).await.ok() });
                    }
                });
            }
        });
    });
    address
}

async fn answer(
    code: u32,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let message = whole(body).await?.0;
    let head = Response::builder().header("content-type", "application/grpc");
    if code != 0 {
        let head = head.header("grpc-status", code).header("grpc-message", "as told").body(());
        respond.send_response(head.unwrap(), true)?;
        return Ok(());
    }
    let mut stream = respond.send_response(head.body(()).unwrap(), false)?;
    stream.send_data(message, false)?;
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    stream.send_trailers(trailers)
}

/// Everything that comes on a stream, and the trailers.
async fn whole(mut body: RecvStream) -> Result<(Bytes, HeaderMap), h2::Error> {
    let mut all = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        all.extend_from_slice(&piece);
    }
    Ok((all.freeze(), body.trailers().await?.unwrap_or_default()))
}

/// Calls the method at `url` with a message, by a proxy or server at `address`.
pub(crate) fn call(address: SocketAddr, url: &str, message: &str) -> Outcome {
    runtime().block_on(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post(url)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let mut client = client.ready().await.unwrap();
        let (response, mut sending) = client.send_request(request, false).unwrap();
        sending.send_data(framed(message), true).unwrap();
        let response = response.await.unwrap();
        let (status, mut headers) = (response.status().as_u16(), response.headers().clone());
        let (body, trailers) = whole(response.into_body()).await.unwrap();
        headers.extend(trailers);
        let text = |name: &str| {
            headers.get(name).map_or(String::new(), |v| v.to_str().unwrap().to_owned())
        };
        let reply = String::from_utf8(body.get(5..).unwrap_or_default().to_vec()).unwrap();
        Outcome { status, code: text("grpc-status"), message: text("grpc-message"), reply }
    })
}

/// A message with its length before it, uncompressed.
fn framed(message: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap());
    bytes.put_slice(message.as_bytes());
    bytes.freeze()
}
