//! Asking a running `pilotage up` over its admin port.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use pilotage_explain::{Ask, Explanation};

use crate::exit::Status;

/// How long the process may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer needs.
const LONGEST_ANSWER_BYTES: u64 = 64 << 20;

/// Why a running process does not say what it would do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// Nobody is there.
    #[error(
        "nobody answers at {address} ({source}); is `pilotage up` running, with another --admin-port?"
    )]
    Nobody {
        /// The address of the admin port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// What is there is something else.
    #[error("what answers at {address} is no `pilotage up` that can explain: {said}")]
    Other {
        /// The address of the admin port.
        address: String,
        /// What it said.
        said: String,
    },
    /// The question makes no sense there.
    #[error("{0}")]
    Refused(String),
}

impl LiveError {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Refused(_) => Status::Usage,
            Self::Nobody { .. } | Self::Other { .. } => Status::Unknown,
        }
    }
}

/// Puts `ask` to the process whose admin port is at `address`.
///
/// # Errors
/// When nobody answers, or not with an explanation.
pub(super) fn ask(ask: &Ask, address: &str) -> Result<Explanation, LiveError> {
    let other =
        |said: &str| LiveError::Other { address: address.to_owned(), said: said.to_owned() };
    let body = serde_json::to_vec(ask).map_err(|error| other(&error.to_string()))?;
    let nobody = |source| LiveError::Nobody { address: address.to_owned(), source };
    let text = exchange(&body, address).map_err(nobody)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| other("no HTTP"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    match status {
        "200" => serde_json::from_str(body).map_err(|error| other(&error.to_string())),
        "400" | "404" if body.starts_with("explain: ") => {
            Err(LiveError::Refused(body.trim_start_matches("explain: ").trim().to_owned()))
        }
        _ => Err(other(head.lines().next().unwrap_or_default())),
    }
}

/// One request and its answer on a connection of its own.
fn exchange(body: &[u8], address: &str) -> io::Result<String> {
    let to = address.to_socket_addrs()?.next();
    let to = to.ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /explain HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut text = String::new();
    stream.take(LONGEST_ANSWER_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
