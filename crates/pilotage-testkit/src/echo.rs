//! An upstream that tells what it got: the request line, the headers, and the address it was reached at.
//!
//! It listens on every loopback address at one port, so that each cluster can be given an address of its own and the
//! answer shows which cluster was chosen.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::wire::{Message, Reader};

/// A running echo. It ends with the process.
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    /// Its port, on every address of `127.0.0.0/8`.
    pub port: u16,
}

impl Echo {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = listener.local_addr()?.port();
        thread::Builder::new().name("echo".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever comes from elsewhere has no business here.
                let reached = stream.local_addr().ok().filter(|a| a.ip().is_loopback());
                if let Some(reached) = reached {
                    let serve = move || serve(stream, reached).unwrap_or_default();
                    let spawned = thread::Builder::new().stack_size(128 << 10).spawn(serve);
                    drop(spawned);
                }
            }
        })?;
        Ok(Self { port })
    }
}

/// Answers requests until the peer is done.
fn serve(stream: TcpStream, reached: SocketAddr) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.message(false)? {
        out.write_all(&answer(&request, reached))?;
    }
    Ok(())
}

fn answer(request: &Message, reached: SocketAddr) -> Vec<u8> {
    let body = json!({
        "reached": reached.ip().to_string(),
        "line": request.first_line,
        "headers": request.headers,
        "body_bytes": request.body.len(),
    });
    let is_head = request.first_line.starts_with("HEAD ");
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: echo\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let body = if is_head { "" } else { &body };
    [head.as_bytes(), body.as_bytes()].concat()
}
