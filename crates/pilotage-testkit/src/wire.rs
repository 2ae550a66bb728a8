//! HTTP/1.1 as bytes, for tests that must send what no client library would.

use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes that is going to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request or an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Request line or status line.
    pub first_line: String,
    /// Names as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body without chunk framing.
    pub body: Vec<u8>,
}

impl Message {
    /// The status of an answer; 0 when this is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first header called `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads messages from a connection.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// A reader of `source`.
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new() }
    }

    /// What is read from.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next message; nothing at the end of the stream. An answer without a length goes on until then, if
    /// `until_end`.
    ///
    /// # Errors
    /// When reading fails, or the stream ends within a message.
    pub fn message(&mut self, until_end: bool) -> io::Result<Option<Message>> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let mut message =
            Message { first_line: lines.next().unwrap_or_default().into(), ..Message::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let status = message.status();
        let chunked = message.header("transfer-encoding").is_some_and(|v| v.contains("chunked"));
        let length = message.header("content-length").and_then(|v| v.parse().ok());
        let no_body = until_end && (status < 200 || matches!(status, 204 | 304));
        match (chunked, length) {
            _ if no_body => {}
            (true, _) => message.body = self.chunks()?,
            (false, Some(length)) => message.body = self.exactly(length)?,
            (false, None) if until_end => {
                while self.fill()? {}
                message.body = std::mem::take(&mut self.buffer);
            }
            (false, None) => {}
        }
        Ok(Some(message))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                self.must_fill()?;
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let digits = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(digits.trim().split(';').next().unwrap_or("0"), 16)
                .map_err(io::Error::other)?;
            let chunk = self.exactly(size + 2)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.must_fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn must_fill(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 << 10];
        let read = self.source.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..read]);
        Ok(read > 0)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Sends `bytes` on a new connection and reads one answer. Nothing when the connection is closed without one.
///
/// # Errors
/// When the peer cannot be reached, or answers nothing for long.
pub fn ask(address: SocketAddr, bytes: &[u8]) -> io::Result<Option<Message>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    ask_on(stream, bytes)
}

/// Sends `bytes` on a connection and reads one answer. Nothing when the connection is closed without one.
///
/// # Errors
/// When the peer answers nothing for as long as the connection waits.
pub fn ask_on(mut stream: TcpStream, bytes: &[u8]) -> io::Result<Option<Message>> {
    // A peer that refuses early may close before it has read everything; its answer counts all the same.
    let sent = stream.write_all(bytes);
    let is_head = bytes.starts_with(b"HEAD ");
    let answer = if is_head { head_only(stream) } else { Reader::new(stream).message(true) };
    match (sent, answer) {
        (_, Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        (Err(_), Ok(None)) => Ok(None),
        (_, answer) => answer,
    }
}

/// An answer to HEAD has a length and no body.
fn head_only(mut stream: TcpStream) -> io::Result<Option<Message>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(n, v)| (n.to_owned(), v.trim().to_owned())).collect();
    Ok(Some(Message { first_line, headers, body: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::Reader;

    #[test]
    fn messages_are_read_one_after_the_other() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let mut reader = Reader::new(&bytes[..]);
        let first = reader.message(true).unwrap().unwrap();
        assert_eq!((first.status(), &first.body[..]), (200, &b"abc"[..]));
        let second = reader.message(true).unwrap().unwrap();
        assert_eq!((second.status(), &second.body[..]), (201, &b"hi"[..]));
        assert_eq!(reader.message(true).unwrap(), None);
    }

    #[test]
    fn a_cut_message_is_an_error() {
        assert!(
            Reader::new(&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"[..])
                .message(true)
                .is_err()
        );
    }
}
