//! An upstream that tells what it got: the request line, the headers, and the address it was reached at.
//!
//! It listens on every loopback address at one port, so that each cluster can be given an address of its own and the
//! answer shows which cluster was chosen.
//!
//! A request with the header `x-case` is noted under that name, so that a test sees every attempt and every mirrored
//! copy. Its header `x-script` says what each attempt meets, separated by commas: a status, `grpc-14`, `reset` (the
//! connection is closed), `hang` (nothing is answered), `ok`. After the last word all is well. Such connections are used
//! once, so that it makes no difference which of them had carried a request before.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use crate::wire::{Message, Reader};

/// Where the first endpoints of clusters are.
pub const FIRSTS: &str = "127.10.";
/// Where their other endpoints are.
pub const OTHERS: &str = "127.11.";

/// A running echo. It ends with the process.
#[derive(Clone, Debug)]
pub struct Echo {
    /// Its port, on every address of `127.0.0.0/8`.
    pub port: u16,
    log: Log,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The address it was sent to, without port.
    pub reached: String,
    /// The request.
    pub request: Message,
}

/// Arrivals by case.
type Log = Arc<Mutex<BTreeMap<String, Vec<Arrival>>>>;

impl Echo {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = listener.local_addr()?.port();
        let log = Log::default();
        let noted = Arc::clone(&log);
        thread::Builder::new().name("echo".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever comes from elsewhere has no business here.
                let reached = stream.local_addr().ok().filter(|a| a.ip().is_loopback());
                if let Some(reached) = reached {
                    let log = Arc::clone(&noted);
                    let serve = move || serve(stream, reached, &log).unwrap_or_default();
                    let spawned = thread::Builder::new().stack_size(128 << 10).spawn(serve);
                    drop(spawned);
                }
            }
        })?;
        Ok(Self { port, log })
    }

    /// What arrived so far for `case`, in the order of arrival.
    #[must_use]
    pub fn arrivals(&self, case: &str) -> Vec<Arrival> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(case).cloned().unwrap_or_default()
    }
}

/// Answers requests until the peer is done.
fn serve(stream: TcpStream, reached: SocketAddr, log: &Log) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.message(false)? {
        let word = note(&request, reached, log);
        match word.as_str() {
            "ok" if request.header("x-case").is_some() => {
                return out.write_all(&answer(&request, reached));
            }
            "ok" => out.write_all(&answer(&request, reached))?,
            "reset" => return Ok(()),
            // Until the peer gives up.
            "hang" => while reader.message(false)?.is_some() {},
            word => return out.write_all(&scripted(word)),
        }
    }
    Ok(())
}

/// Notes the request, and says what its script has for it.
fn note(request: &Message, reached: SocketAddr, log: &Log) -> String {
    let Some(case) = request.header("x-case") else { return "ok".to_owned() };
    let reached = first_of(reached);
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let arrivals = log.entry(case.to_owned()).or_default();
    let before = arrivals.iter().filter(|arrival| arrival.reached == reached).count();
    arrivals.push(Arrival { reached, request: request.clone() });
    let script = request.header("x-script").unwrap_or_default();
    script.split(',').nth(before).filter(|word| !word.is_empty()).unwrap_or("ok").to_owned()
}

/// The address of the first endpoint of the cluster that was reached: what an attempt meets does not depend on the
/// endpoint that it goes to.
fn first_of(reached: SocketAddr) -> String {
    let text = reached.ip().to_string();
    match text.strip_prefix(OTHERS) {
        Some(rest) => format!("{FIRSTS}{rest}"),
        None => text,
    }
}

/// A status, or a gRPC status without a body.
fn scripted(word: &str) -> Vec<u8> {
    if let Some(status) = word.strip_prefix("grpc-") {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nconnection: close\r\ncontent-length: 0\r\n";
        return format!("{head}grpc-status: {status}\r\n\r\n").into_bytes();
    }
    format!("HTTP/1.1 {word} Scripted\r\nconnection: close\r\ncontent-length: 4\r\nx-up: scripted\r\n\r\nbody")
        .into_bytes()
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
    let more = match request.header("x-case") {
        Some(_) => {
            "connection: close\r\nx-up: one\r\nx-up: two\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
        }
        None => "",
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: echo\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    );
    let body = if is_head { "" } else { &body };
    [head.as_bytes(), body.as_bytes()].concat()
}
