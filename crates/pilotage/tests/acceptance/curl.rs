//! curl, the client of most of Istio's tasks.

use std::process::Command;
use std::time::{Duration, Instant};

/// What curl got.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 0 when there was no answer.
    pub(crate) status: u16,
    /// The version as in `HTTP/1.1`.
    pub(crate) version: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// How curl ended: 0, or why there was no answer.
    pub(crate) exit: i32,
    /// How long it all took.
    pub(crate) took: Duration,
}

impl Reply {
    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} more than once in {self:?}");
        value
    }

    /// Status and body.
    pub(crate) fn summary(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

/// Runs curl with these arguments, and without any settings of the user.
pub(crate) fn curl(arguments: &[&str]) -> Reply {
    let begin = Instant::now();
    let output = Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--include", "--max-time", "60"])
        .arg("--suppress-connect-headers")
        .args(["--noproxy", ""])
        .args(arguments)
        .output()
        .expect("curl runs");
    let took = begin.elapsed();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut reply = Reply {
        status: 0,
        version: String::new(),
        headers: Vec::new(),
        body: String::new(),
        exit: output.status.code().unwrap(),
        took,
    };
    let mut rest = text.as_str();
    // Interim answers stand before the final one.
    while let Some((head, body)) = rest.split_once("\r\n\r\n").filter(|_| reply.status < 200) {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        reply.version = first.next().unwrap().to_owned();
        reply.status = first.next().unwrap().parse().unwrap();
        reply.headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        rest = body;
    }
    reply.body = rest.to_owned();
    reply
}
