//! An upstream that answers each path with the same bytes, and notes the heads that it gets; a client of bytes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pair::serving;

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);

/// What upstreams got: heads, and bodies behind them.
pub(crate) type Got = Arc<Mutex<Vec<String>>>;

/// Starts one. `answers`: what it says to requests whose path begins so; the longest beginning counts. A request ends
/// with its head, or with its last chunk. After an answer with `\0` at its end the connection is closed.
pub(crate) fn upstream(answers: &[(&'static str, &'static str)], got: &Got) -> SocketAddr {
    let answers: BTreeMap<_, _> = answers.iter().copied().collect();
    let got = Arc::clone(got);
    serving(move |stream| serve(stream, &answers, &got))
}

fn serve(
    mut stream: TcpStream,
    answers: &BTreeMap<&'static str, &'static str>,
    got: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        if chunked && !(body.contains("0\r\n") && body.ends_with("\r\n\r\n")) {
            continue;
        }
        let path = head.split(' ').nth(1).unwrap_or_default();
        let found = answers.iter().rev().find(|(begin, _)| path.starts_with(**begin));
        let answer = found.map_or("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", |a| a.1);
        got.lock().unwrap().push(std::mem::take(&mut text));
        let (answer, close) = (answer.trim_end_matches('\0'), answer.ends_with('\0'));
        stream.write_all(answer.as_bytes())?;
        if close {
            return Ok(());
        }
    }
}

/// Everything that a client reads after it has said `request`, until the connection ends.
pub(crate) fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    String::from_utf8(heard).unwrap()
}

/// A text in which what differs from run to run is masked, and the headers of each head are in alphabetical order.
pub(crate) fn settled(text: &str) -> String {
    const VARYING: [&str; 4] =
        ["date", "x-request-id", "x-envoy-upstream-service-time", "x-envoy-expected-rq-timeout-ms"];
    let mut heads = Vec::new();
    for head in text.split("\r\n\r\n") {
        let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
        for line in &mut lines {
            if let Some((name, _)) = line.split_once(": ")
                && VARYING.contains(&&*name.to_ascii_lowercase())
            {
                *line = format!("{name}: …");
            }
        }
        if let Some(fields) = lines.get_mut(1..) {
            fields.sort_unstable();
        }
        heads.push(lines.join("\n"));
    }
    heads.join("\n\n")
}
