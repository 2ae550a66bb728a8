//! Istio's standard metrics of TCP connections.

use std::sync::Arc;

use pilotage_engine::response_flag::ResponseFlags;

use super::counter::Counter;
use super::requests::{Destination, Source, connection_labels};

/// What tells one series of a worker from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TcpKey {
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) flags: ResponseFlags,
}

/// The TCP metrics of one label set at one worker.
#[derive(Debug)]
pub(crate) struct TcpSeries {
    /// All labels as they are printed, between the braces.
    pub(crate) labels: String,
    /// `istio_tcp_connections_opened_total`
    pub(crate) opened: Counter,
    /// `istio_tcp_connections_closed_total`
    pub(crate) closed: Counter,
    /// `istio_tcp_sent_bytes_total`: to clients.
    pub(crate) sent: Counter,
    /// `istio_tcp_received_bytes_total`: from clients.
    pub(crate) received: Counter,
}

impl TcpSeries {
    pub(crate) fn new(key: &TcpKey, source: &Source, destination: &Destination) -> Self {
        Self {
            labels: connection_labels(source, destination, "tcp", None, key.flags),
            opened: Counter::default(),
            closed: Counter::default(),
            sent: Counter::default(),
            received: Counter::default(),
        }
    }

    /// Names and values.
    pub(super) fn values(&self) -> [(&'static str, u64); 4] {
        [
            ("istio_tcp_connections_closed_total", self.closed.get()),
            ("istio_tcp_connections_opened_total", self.opened.get()),
            ("istio_tcp_received_bytes_total", self.received.get()),
            ("istio_tcp_sent_bytes_total", self.sent.get()),
        ]
    }
}
