//! A client that says exactly what a test wants it to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A bound for hung tests only; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Client {
    pub(crate) reader: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        self.reply()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads status line and headers.
    pub(crate) fn head(&mut self) -> Reply {
        let status = self.line();
        let mut reply = Reply {
            status: status.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0),
            ..Reply::default()
        };
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { return reply };
            reply.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(crate) fn exactly(&mut self, bytes: usize) -> String {
        let mut body = vec![0; bytes];
        self.reader.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// One chunk of a chunked body; `None` at its end.
    pub(crate) fn chunk(&mut self) -> Option<String> {
        let size = usize::from_str_radix(&self.line(), 16).unwrap();
        let data = self.exactly(size);
        if size > 0 {
            self.line();
        }
        (size > 0).then_some(data)
    }

    /// Reads a whole answer.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        if let Some(length) = reply.header("content-length") {
            let length = length.parse().unwrap();
            reply.body = self.exactly(length);
        } else if reply.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                reply.body.push_str(&chunk);
            }
            self.line();
        }
        reply
    }

    /// Whether the proxy has closed the connection, having sent nothing more.
    pub(crate) fn closed(&mut self) -> bool {
        self.reader.read(&mut [0]).is_ok_and(|count| count == 0)
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Reply {
    Client::connect(address).get(path)
}
