//! What is noted of a connection: metrics while it lives, the access log line when it is over.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use pilotage_engine::cluster::{ClusterSettings, ClusterTable};
use pilotage_engine::endpoint::EndpointAddress;
use pilotage_engine::response_flag::ResponseFlags;

use crate::access_log::{Captured, Record};
use crate::connection::Arrival;
use crate::metrics::{Destination, TcpKey, TcpSeries};
use crate::transport::Transport;
use crate::worker::Worker;

/// The facts of one connection; noted when it is dropped.
#[derive(Debug)]
pub(super) struct Tail {
    worker: Rc<Worker>,
    pub(super) arrival: Arrival,
    start: Instant,
    pub(super) flags: ResponseFlags,
    pub(super) details: Cow<'static, str>,
    pub(super) transport_failure: Option<Cow<'static, str>>,
    pub(super) upstream_host: Option<EndpointAddress>,
    pub(super) upstream: Transport,
    pub(super) attempts: u32,
    cluster: Option<Arc<ClusterSettings>>,
    /// The series of the connection while it lives; set with the cluster.
    series: Option<Arc<TcpSeries>>,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Tail {
    pub(super) fn new(worker: &Rc<Worker>, arrival: Arrival) -> Self {
        Self {
            worker: Rc::clone(worker),
            arrival,
            start: Instant::now(),
            flags: ResponseFlags::NONE,
            details: Cow::Borrowed(""),
            transport_failure: None,
            upstream_host: None,
            upstream: Transport::default(),
            attempts: 0,
            cluster: None,
            series: None,
            received: Cell::new(0),
            sent: Cell::new(0),
        }
    }

    /// Where the connection goes.
    pub(super) fn routed(&mut self, cluster: &ClusterTable) {
        self.cluster = Some(Arc::clone(&cluster.settings));
        let series = self.series_with(ResponseFlags::NONE);
        series.opened.add(1);
        self.series = Some(series);
    }

    /// Counts bytes that were passed on from and to the client.
    pub(super) fn passed(&self, received: u64, sent: u64) {
        self.received.set(self.received.get() + received);
        self.sent.set(self.sent.get() + sent);
        if let Some(series) = &self.series {
            series.received.add(received);
            series.sent.add(sent);
        }
    }

    fn cluster_name(&self) -> Option<Arc<str>> {
        self.cluster.as_ref().map(|cluster| Arc::clone(&cluster.name))
    }

    fn series_with(&self, flags: ResponseFlags) -> Arc<TcpSeries> {
        let key = TcpKey { cluster: self.cluster_name(), flags };
        self.worker.metrics.tcp(&key, || match &self.cluster {
            Some(cluster) => Destination::of(cluster),
            None => Destination::default(),
        })
    }

    fn record(&mut self) -> Record {
        Record {
            duration: self.start.elapsed(),
            protocol: None,
            status: 0,
            flags: self.flags,
            details: std::mem::take(&mut self.details),
            termination: None,
            transport_failure: self.transport_failure.take(),
            bytes_received: self.received.get(),
            bytes_sent: self.sent.get(),
            upstream_host: self.upstream_host.take(),
            upstream_local: self.upstream.local,
            upstream_protocol: None,
            upstream_tls: self.upstream.tls.clone(),
            grpc_status: None,
            upstream_cluster: self.cluster_name(),
            downstream_local: self.arrival.destination,
            downstream_remote: self.arrival.source,
            server_name: self.arrival.findings.server_name.clone(),
            tls: self.arrival.tls.clone(),
            route_name: None,
            origin: None,
            attempts: self.attempts,
            captured: Captured::default(),
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let closed = self.series_with(self.flags);
        if self.series.is_none() {
            closed.opened.add(1);
        }
        closed.closed.add(1);
        if let Some(log) = self.worker.log.clone() {
            log.write(&self.record());
        }
    }
}
