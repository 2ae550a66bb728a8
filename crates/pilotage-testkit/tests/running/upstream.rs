//! An upstream that tells in its answer what it was asked, and adds the headers that the recorded one added.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use pilotage_testkit::wire::{Message, Reader};
use serde_json::json;

/// A running upstream, on every loopback address.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    headers: Arc<Mutex<String>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let headers = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&headers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever comes from elsewhere has no business here.
                if stream.local_addr().is_ok_and(|local| local.ip().is_loopback()) {
                    let headers = Arc::clone(&shared);
                    thread::spawn(move || serve(stream, &headers).ok());
                }
            }
        });
        Self { port, headers }
    }

    /// From now on it answers with these header lines.
    pub(crate) fn answer_with(&self, headers: &[(String, String)]) {
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        *self.headers.lock().unwrap() = lines.collect();
    }
}

fn serve(stream: TcpStream, headers: &Mutex<String>) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.message(false)? {
        out.write_all(&answer(&request, &headers.lock().unwrap()))?;
    }
    Ok(())
}

fn answer(request: &Message, headers: &str) -> Vec<u8> {
    let told = json!({"line": request.first_line, "headers": request.headers});
    let body = told.to_string();
    // In a header, as answers to HEAD have no body.
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nx-told: {body}\r\n{headers}\r\n");
    let body = if request.first_line.starts_with("HEAD ") { "" } else { &body };
    [head.as_bytes(), body.as_bytes()].concat()
}
