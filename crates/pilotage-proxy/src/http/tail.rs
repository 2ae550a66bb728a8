//! What is left to do when a request is over: metrics, live counters, the access log.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, Version};
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::endpoint::EndpointAddress;
use pilotage_engine::live_state::ActiveRequest;
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::outlier_detection::HostResult;
use pilotage_engine::response_flag::{ResponseFlags, details};
use pilotage_engine::route::RouteEntry;

use super::client::Client;
use super::replay::Source;
use crate::access_log::{Captured, Record};
use crate::metrics::{Destination, RequestKey};
use crate::transport::Transport;

/// How the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With its last byte.
    Complete,
    /// The route's time limit passed in the middle of it.
    Timeout,
    /// Nothing came from either side for too long.
    Silence,
    /// It lived for too long.
    Life,
    /// The upstream broke off.
    UpstreamReset,
    /// The upstream reset the stream, and its connection goes on.
    StreamReset,
    /// The client went away.
    DownstreamGone,
    /// The client's stream was reset, for this reason.
    DownstreamReset(&'static str),
}

/// The facts of one request, noted when it is over. Dropped before that, the request counts as abandoned by its
/// client.
#[derive(Debug)]
pub(crate) struct Tail(Option<Box<Facts>>);

/// What is known of a request so far.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) client: Rc<Client>,
    /// Where the client wanted to go.
    pub(crate) local: SocketAddr,
    pub(crate) start: Instant,
    pub(crate) protocol: Version,
    pub(crate) grpc: bool,
    pub(crate) status: u16,
    pub(crate) flags: ResponseFlags,
    pub(crate) details: Cow<'static, str>,
    pub(crate) transport_failure: Option<Cow<'static, str>>,
    pub(crate) bytes_sent: u64,
    /// Bytes from the client after an upgrade.
    pub(crate) tunnel_received: u64,
    pub(crate) request_body: Option<Rc<Source>>,
    pub(crate) route: Option<Arc<RouteEntry>>,
    pub(crate) cluster: Option<Arc<ClusterTable>>,
    /// The cluster that does not exist.
    pub(crate) missing_cluster: Option<Arc<str>>,
    pub(crate) upstream_host: Option<EndpointAddress>,
    /// The HTTP version of the last attempt, and its connection.
    pub(crate) upstream: Option<(Version, Transport)>,
    pub(crate) attempts: u32,
    pub(crate) grpc_status: Option<i32>,
    pub(crate) active: Option<ActiveRequest>,
    /// What the access log will tell of the request, if there is one.
    pub(crate) captured: Option<Box<Captured>>,
}

impl Tail {
    pub(crate) fn new(client: Rc<Client>, start: Instant, protocol: Version, grpc: bool) -> Self {
        Self(Some(Box::new(Facts {
            local: client.arrival.destination,
            client,
            start,
            protocol,
            grpc,
            status: 0,
            flags: ResponseFlags::NONE,
            details: Cow::Borrowed(""),
            transport_failure: None,
            bytes_sent: 0,
            tunnel_received: 0,
            request_body: None,
            route: None,
            cluster: None,
            missing_cluster: None,
            upstream_host: None,
            upstream: None,
            attempts: 0,
            grpc_status: None,
            active: None,
            captured: None,
        })))
    }

    /// The facts, until the request is over.
    pub(crate) fn facts(&mut self) -> Option<&mut Facts> {
        self.0.as_deref_mut()
    }

    /// Notes an answer of our own.
    pub(crate) fn replied(&mut self, reply: &LocalReply) {
        let Some(facts) = self.facts() else { return };
        facts.status = reply.status.as_u16();
        facts.flags.insert(reply.flags);
        facts.details = reply.details.clone();
        facts.bytes_sent = reply.body.len() as u64;
        if let Some(route) = &reply.route {
            facts.route = Some(Arc::clone(route));
        }
        if facts.cluster.is_none() {
            facts.missing_cluster = reply.cluster.clone();
        }
    }

    /// The request is over.
    pub(crate) fn finish(mut self, now: Instant, ending: Ending) {
        if let Some(facts) = self.0.take() {
            facts.finish(now, ending);
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if let Some(facts) = self.0.take() {
            let reset = facts.client.reset_reason();
            let ending = reset.map_or(Ending::DownstreamGone, Ending::DownstreamReset);
            facts.finish(Instant::now(), ending);
        }
    }
}

impl Facts {
    /// `grpc-status` from response headers or trailers.
    pub(crate) fn note_grpc_status<'h>(
        &mut self,
        header: impl FnOnce(&'static str) -> Option<&'h HeaderValue>,
    ) {
        if self.grpc
            && let Some(status) = header("grpc-status")
        {
            self.grpc_status = status.to_str().ok().and_then(|text| text.parse().ok());
        }
    }

    fn finish(mut self: Box<Self>, now: Instant, ending: Ending) {
        match ending {
            Ending::Complete => {}
            Ending::Timeout => {
                self.flags.insert(ResponseFlags::UPSTREAM_TIMEOUT);
                self.details = Cow::Borrowed(details::RESPONSE_TIMEOUT);
            }
            Ending::Silence => {
                self.flags.insert(ResponseFlags::STREAM_IDLE_TIMEOUT);
                self.details = Cow::Borrowed(details::STREAM_IDLE_TIMEOUT);
            }
            Ending::Life => {
                self.details = Cow::Borrowed(details::MAX_DURATION);
            }
            Ending::UpstreamReset => {
                self.flags.insert(ResponseFlags::UPSTREAM_TERMINATION);
                self.details =
                    Cow::Borrowed("upstream_reset_after_response_started{connection_termination}");
            }
            Ending::StreamReset => {
                self.flags.insert(ResponseFlags::UPSTREAM_RESET);
                self.details = Cow::Borrowed("upstream_reset_after_response_started{remote_reset}");
            }
            Ending::DownstreamGone => {
                self.flags.insert(ResponseFlags::DOWNSTREAM_TERMINATION);
                self.details = Cow::Borrowed("downstream_remote_disconnect");
            }
            Ending::DownstreamReset(reason) => {
                self.flags.insert(ResponseFlags::DOWNSTREAM_RESET);
                self.details = Cow::Borrowed(reason);
            }
        }
        if let Some(active) = self.active.take() {
            if let (Ending::UpstreamReset, Some(cluster)) = (ending, &self.cluster) {
                self.client.worker.tell(cluster, active.endpoint(), HostResult::Failed);
            }
            active.ended(http::StatusCode::from_u16(self.status).ok());
        }
        if let Some(body) = &self.request_body {
            body.abandon();
        }
        let received = self.received() + self.tunnel_received;
        self.count(now, received);
        if let Some(log) = &Rc::clone(&self.client).worker.log {
            log.write(&self.record(now, received));
        }
    }

    /// Bytes of the request's body so far.
    pub(crate) fn received(&self) -> u64 {
        self.request_body.as_ref().map_or(0, |body| body.received())
    }

    fn count(&self, now: Instant, received: u64) {
        let metrics = &self.client.worker.metrics;
        let cluster = match &self.cluster {
            Some(cluster) => Some(&cluster.settings.name),
            None => self.missing_cluster.as_ref(),
        };
        let key = RequestKey {
            cluster: cluster.map(Arc::clone),
            status: self.status,
            flags: self.flags,
            grpc_status: self.grpc.then_some(self.grpc_status.unwrap_or(0)),
        };
        let series = metrics.requests(&key, || match (&self.cluster, cluster) {
            (Some(cluster), _) => Destination::of(&cluster.settings),
            (None, Some(missing)) => Destination::of_cluster(missing),
            (None, None) => Destination::default(),
        });
        series.record(now.saturating_duration_since(self.start), received, self.bytes_sent);
    }

    fn record(mut self: Box<Self>, now: Instant, received: u64) -> Record {
        let upstream = self.upstream.take();
        let (upstream_protocol, upstream) =
            upstream.map_or_else(Default::default, |(version, upstream)| (Some(version), upstream));
        Record {
            duration: now.saturating_duration_since(self.start),
            protocol: Some(self.protocol),
            status: self.status,
            flags: self.flags,
            details: std::mem::take(&mut self.details),
            termination: None,
            transport_failure: self.transport_failure.take(),
            bytes_received: received,
            bytes_sent: self.bytes_sent,
            upstream_host: self.upstream_host.take(),
            upstream_local: upstream.local,
            upstream_protocol,
            upstream_tls: upstream.tls,
            grpc_status: self.grpc_status,
            upstream_cluster: match &self.cluster {
                Some(cluster) => Some(Arc::clone(&cluster.settings.name)),
                None => self.missing_cluster.take(),
            },
            downstream_local: self.local,
            downstream_remote: self.client.arrival.source,
            server_name: self.client.arrival.findings.server_name.clone(),
            tls: self.client.arrival.tls.clone(),
            route_name: self.route.as_ref().map(|route| Arc::clone(&route.name)),
            origin: self.route.as_ref().and_then(|route| route.origin_in_words()).map(Arc::from),
            attempts: self.attempts,
            captured: self.captured.take().map(|captured| *captured).unwrap_or_default(),
        }
    }
}
