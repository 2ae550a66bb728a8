//! Built-in services that say who they are.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::bookinfo::{Addresses, WORKLOADS, Workload};

/// The header that says which version answered.
pub(crate) const VERSION: &str = "x-demo-version";

/// Starts all services on ports that the operating system chooses, on the current runtime.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn start() -> io::Result<Addresses> {
    let mut addresses = Addresses::new();
    for workload in WORKLOADS {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        addresses.insert(workload, listener.local_addr()?);
        tokio::spawn(accept(workload, listener));
    }
    Ok(addresses)
}

async fn accept(workload: Workload, listener: TcpListener) {
    loop {
        // A connection that failed on its way in is its client's affair.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let service = service_fn(move |request| async move { answer(workload, &request) });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a demo service ended");
            }
        });
    }
}

/// Who answers, and what was asked.
fn answer(
    workload: Workload,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Workload { service, version } = workload;
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let body = serde_json::json!({
        "service": service,
        "version": version,
        "method": request.method().as_str(),
        "host": host,
        "path": request.uri().path(),
    });
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(VERSION, HeaderValue::from_static(version));
    Ok(response)
}
