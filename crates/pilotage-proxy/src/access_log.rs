//! The access log: one line per request, in Istio's default text format, as JSON, or in a format of the user's.
//!
//! Workers append to a buffer of their own and hand it over whole; one thread writes. When that thread cannot keep
//! up, lines are dropped and counted rather than requests delayed.

mod format;
mod record;
mod writer;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pilotage_engine::headers::Headers;

pub use format::FormatError;
pub(crate) use format::{Format, RenderTime};
pub(crate) use record::{Captured, Record};
pub(crate) use writer::LogWriter;

/// A buffer of this size is handed to the writer at once.
const FULL_BYTES: usize = 16 * 1024;
/// A line waits at most this long for company.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// What is logged and where to.
#[derive(Clone, Debug, Default)]
pub struct AccessLogSettings {
    /// Where lines go; nowhere when `None` (MeshConfig `accessLogFile: ""`).
    pub target: Option<LogTarget>,
    /// How a line looks (MeshConfig `accessLogEncoding` and `accessLogFormat`).
    pub format: LogFormat,
}

/// Where access log lines go.
#[derive(Clone, Debug)]
pub enum LogTarget {
    /// Standard output, Istio's `/dev/stdout`.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
    /// Kept in memory, for tests and embedders: read it with [`Lines::take`].
    Memory(Lines),
}

/// How an access log line looks.
#[derive(Clone, Debug, Default)]
pub enum LogFormat {
    /// Istio's default text format, followed by the origin of the route in quotes.
    #[default]
    Text,
    /// Istio's default JSON keys, and `origin`.
    Json,
    /// A format string with Envoy's command operators; it ends its own lines.
    Custom(String),
}

/// Access log text kept in memory.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    /// What was logged since the last call.
    pub fn take(&self) -> String {
        let mut bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *bytes)).into_owned()
    }

    fn append(&self, text: &[u8]) {
        let mut bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bytes.extend_from_slice(text);
    }
}

/// The access log of one worker.
#[derive(Debug)]
pub(crate) struct AccessLog {
    format: Arc<Format>,
    writer: Arc<LogWriter>,
    buffer: RefCell<Vec<u8>>,
    flush_armed: Cell<bool>,
}

impl AccessLog {
    pub(crate) fn new(format: Arc<Format>, writer: Arc<LogWriter>) -> Rc<Self> {
        let buffer = RefCell::new(Vec::new());
        Rc::new(Self { format, writer, buffer, flush_armed: Cell::new(false) })
    }

    /// The header values that the format will print, taken before the request goes on its way.
    pub(crate) fn capture(&self, headers: &Headers) -> Vec<Option<HeaderValue>> {
        self.format.request_headers().iter().map(|name| headers.get(name).cloned()).collect()
    }

    /// As [`AccessLog::capture`], of a response.
    pub(crate) fn capture_response(&self, headers: &Headers) -> Vec<Option<HeaderValue>> {
        self.format.response_headers().iter().map(|name| headers.get(name).cloned()).collect()
    }

    /// Appends the line of one request.
    pub(crate) fn write(self: &Rc<Self>, record: &Record) {
        let full = {
            let mut buffer = self.buffer.borrow_mut();
            self.format.render(record, RenderTime::now(), &mut buffer);
            buffer.len() >= FULL_BYTES
        };
        if full {
            self.flush();
        } else if !self.flush_armed.replace(true) {
            let log = Rc::clone(self);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(FLUSH_AFTER).await;
                log.flush_armed.set(false);
                log.flush();
            });
        }
    }

    /// Hands what is buffered to the writer.
    pub(crate) fn flush(&self) {
        let text = std::mem::take(&mut *self.buffer.borrow_mut());
        if !text.is_empty() {
            self.writer.push(text);
        }
    }
}
