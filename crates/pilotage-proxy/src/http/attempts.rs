//! Attempts: choosing an endpoint, sending, waiting, and doing so again as often as the route's retry policy says.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{StatusCode, Version};
use pilotage_engine::cluster::Discovery;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::forward::Forward;
use pilotage_engine::live_state::ActiveRequest;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::outlier_detection::HostResult;
use pilotage_engine::response_flag::ResponseFlags;
use pilotage_engine::retries::{AttemptOutcome, ResetReason, RetryState, Tried, Verdict};

use super::body::RequestBody;
use super::exchange::Context;
use super::head::{AnswerHead, Outgoing};
use super::limit::{Elapsed, Limits};
use super::mirrors;
use super::moment::Moment;
use super::replay::Source;
use super::tail::Tail;
use crate::access_log::Captured;
use crate::failure::Failure;
use crate::metrics::Counts;
use crate::pool::{Lease, SendError};
use crate::tls::host_of;

/// How often a request that never left is moved to another connection before it counts as failed.
const MOVES: u32 = 3;

/// An upstream's answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The head.
    pub(super) head: AnswerHead,
    /// Has the body.
    pub(super) lease: Lease,
    pub(super) active: ActiveRequest,
    /// Who gave it.
    pub(super) endpoint: Arc<Endpoint>,
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    context: &'a Context<'a>,
    forward: &'a Forward,
    counts: Counts,
    body: Option<Rc<Source>>,
    retries: Option<RetryState>,
    tried: Tried,
    count: u32,
    /// An upstream has given an interim answer.
    hinted: bool,
    limits: Limits,
    version: Version,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        forward: &'a Forward,
        body: Option<Rc<Source>>,
    ) -> Self {
        let settings = &forward.cluster.settings;
        Self {
            limits: Limits::new(&forward.timeouts, body.as_ref()),
            context,
            forward,
            counts: context.client.worker.metrics.counts(&settings.name, &forward.route),
            body,
            retries: RetryState::new(forward, context.head),
            tried: Tried::new(forward.action().and_then(|action| action.retries.as_deref())),
            count: 0,
            hinted: false,
            version: settings.protocol.version(context.head.version),
        }
    }

    /// Attempts made so far.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether an upstream has given an interim answer.
    pub(super) fn has_hinted(&self) -> bool {
        self.hinted
    }

    /// The client gets this status.
    pub(super) fn answered(&self, status: StatusCode) {
        self.counts.answered(status.as_u16());
    }

    /// Both sides change to another protocol, in which the client speaks through `tunnel`.
    pub(super) fn switch(&mut self, tunnel: &Rc<Source>) {
        self.limits.switch(tunnel);
    }

    /// What is left of the time for the whole request. Afterwards there is no limit any more.
    pub(super) fn take_limits(&mut self) -> Limits {
        std::mem::take(&mut self.limits)
    }

    /// Makes attempts until one is to be passed on.
    pub(super) async fn run(&mut self, tail: &mut Tail) -> Result<Answer, Failure> {
        loop {
            self.count += 1;
            if let Some(facts) = tail.facts() {
                facts.attempts = self.count;
            }
            let timeouts = self.retries.as_ref().map(|_| &self.forward.timeouts);
            let per_try = timeouts.and_then(|timeouts| timeouts.per_try);
            let idle = timeouts.and_then(|timeouts| timeouts.per_try_idle);
            self.limits.begin_attempt(per_try, idle, self.body.as_ref());
            let result = self.attempt(tail).await;
            self.limits.end_attempt();
            let verdict = self.verdict(&result);
            match verdict {
                Verdict::Retry(wait) => {
                    discard(result);
                    self.limits.give_up_attempt();
                    self.counts.add(|of| &of.retries);
                    let waiting = Box::pin(tokio::time::sleep(wait));
                    if let Err(elapsed) = self.limits.within(waiting).await {
                        return Err(self.elapsed(elapsed));
                    }
                    continue;
                }
                Verdict::Stop => {}
                Verdict::LimitReached => {
                    self.counts.add(|of| &of.limit_exceeded);
                    flag(tail, ResponseFlags::RETRY_LIMIT_EXCEEDED);
                }
                Verdict::Overflow => {
                    self.counts.add(|of| &of.retry_overflows);
                    flag(tail, ResponseFlags::UPSTREAM_OVERFLOW);
                }
            }
            if let Some(body) = &self.body {
                body.forget();
            }
            return result;
        }
    }

    fn verdict(&mut self, result: &Result<Answer, Failure>) -> Verdict {
        // The client may have been told something of this attempt already.
        if self.hinted {
            return Verdict::Stop;
        }
        let Some(retries) = &mut self.retries else { return Verdict::Stop };
        if self.body.as_ref().is_some_and(|body| !body.can_repeat()) {
            return Verdict::Stop;
        }
        let outcome = match result {
            Ok(answer) => AttemptOutcome::Response {
                status: answer.head.status,
                headers: &answer.head.headers,
            },
            Err(Failure::PerTryTimeout | Failure::PerTryIdle) => AttemptOutcome::PerTryTimeout,
            Err(failure) => match reset(failure) {
                Some(reason) => AttemptOutcome::Reset {
                    reason,
                    request_sent: !matches!(
                        failure,
                        Failure::Connect { .. } | Failure::ConnectTimeout | Failure::Overflow
                    ),
                },
                None => return Verdict::Stop,
            },
        };
        let worker = &self.context.client.worker;
        // Nothing here depends on how much time has passed meanwhile.
        let verdict = worker.with_env(self.context.moment, |env| retries.outcome(&outcome, env));
        if verdict == Verdict::Stop && self.count > 1 {
            self.counts.add(|of| &of.retry_successes);
        }
        verdict
    }

    /// One attempt. A request that provably never left, because the idle connection it was given had just been
    /// closed, goes to another connection; that is no retry.
    async fn attempt(&mut self, tail: &mut Tail) -> Result<Answer, Failure> {
        let endpoint = self.pick().await?;
        if self.count == 1 {
            // As in Envoy, there are no copies of a request that has nowhere to go.
            mirrors::send(self.context, self.forward, self.body.as_ref());
        }
        let cluster = &self.forward.cluster;
        let http2 = self.version == Version::HTTP_2;
        let worker = &self.context.client.worker;
        let pool = worker.pools.get(
            cluster,
            &endpoint,
            http2,
            self.context.head.authority,
            self.context.client_addresses(),
            || Arc::clone(&self.counts.cluster),
        );
        if let Some(facts) = tail.facts() {
            facts.upstream_host = Some(endpoint.address.clone());
        }
        let mut head = self.request(&endpoint, tail)?;
        let mut moves = 0;
        loop {
            let body = self.body()?;
            let mut lease = match pool.ready(&cluster.settings, http2)? {
                Some(lease) => lease,
                None => {
                    // Boxed, as everything rare here, so that the state of a usual request stays small.
                    let leasing = Box::pin(pool.lease(&cluster.settings, &endpoint, http2));
                    let leased = self.limits.within(leasing).await;
                    let leased = leased.map_err(|elapsed| self.elapsed(elapsed))?;
                    leased.inspect_err(|failure| self.tell_failure(&endpoint, failure))?
                }
            };
            self.tell(&endpoint, HostResult::Connected);
            if let Some(facts) = tail.facts() {
                facts.upstream = Some((self.version, lease.transport().clone()));
            }
            let active = ActiveRequest::begin(&cluster.state, &endpoint.state);
            self.counts.add(|of| &of.total);
            lease.begin(head, body);
            let sent = self.limits.within(poll_fn(|cx| lease.poll_head(cx))).await;
            self.hinted |= lease.has_hinted();
            let sent = sent.map_err(|elapsed| {
                self.tell(&endpoint, HostResult::TimedOut);
                self.elapsed(elapsed)
            });
            match sent? {
                Ok(head) => {
                    self.tell(&endpoint, self.judgement(&head));
                    return Ok(Answer { head, lease, active, endpoint });
                }
                Err(error) => {
                    moves += 1;
                    if moves > MOVES || !self.is_movable(&error) {
                        active.ended(None);
                        self.tell_failure(&endpoint, &error.failure);
                        return Err(error.failure);
                    }
                    head = self.request(&endpoint, tail)?;
                }
            }
        }
    }

    /// Whether the request may go to another connection: it never left, or an idle connection closed under one that
    /// can be sent twice without harm.
    fn is_movable(&self, error: &SendError) -> bool {
        let harmless = match &self.body {
            None => error.unsent || self.context.head.method.is_idempotent(),
            Some(body) => error.unsent && body.can_repeat(),
        };
        harmless && !self.hinted && error.reused && error.failure == Failure::Termination
    }

    /// What becomes of the request when a limit is reached.
    fn elapsed(&self, elapsed: Elapsed) -> Failure {
        let request_complete = self.body.as_ref().is_none_or(|body| body.ended_at().is_some());
        match elapsed {
            Elapsed::Global => {
                self.counts.add(|of| &of.timeouts);
                Failure::Timeout
            }
            Elapsed::PerTry => {
                self.counts.cluster.per_try_timeouts.add(1);
                Failure::PerTryTimeout
            }
            Elapsed::PerTryIdle => Failure::PerTryIdle,
            Elapsed::Silence => Failure::StreamIdle { request_complete },
            Elapsed::Life => Failure::StreamLife { request_complete },
        }
    }

    /// Tells outlier detection how it goes with the endpoint.
    fn tell(&self, endpoint: &Endpoint, result: HostResult) {
        self.context.client.worker.tell(&self.forward.cluster, &endpoint.state, result);
    }

    fn tell_failure(&self, endpoint: &Endpoint, failure: &Failure) {
        // A limit of the cluster, or a client that went away, says nothing about the endpoint.
        if reset(failure).is_some_and(|reason| reason != ResetReason::Overflow) {
            self.tell(endpoint, HostResult::Failed);
        }
    }

    /// What an answer says of the endpoint.
    fn judgement(&self, head: &AnswerHead) -> HostResult {
        let grpc_status = if self.context.head.is_grpc() {
            let status = head.headers.get("grpc-status");
            status.and_then(|status| status.to_str().ok()?.parse().ok())
        } else {
            None
        };
        HostResult::Answered { status: head.status.as_u16(), grpc_status }
    }

    async fn pick(&mut self) -> Result<Arc<Endpoint>, Failure> {
        let cluster = &self.forward.cluster;
        let mut destination = self.context.place.destination;
        if destination.ip().is_unspecified()
            && cluster.settings.discovery == Discovery::OriginalDst
            && let Some(address) = Box::pin(self.look_up(destination.port())).await
        {
            destination = address;
        }
        if cluster.settings.discovery == Discovery::DynamicForwardProxy {
            destination = Box::pin(self.named()).await?;
        }
        let pick = PickContext {
            original_destination: (!destination.ip().is_unspecified()).then_some(destination),
            hash: self.forward.hash,
            ..self.tried.context(|| cluster.endpoints())
        };
        let moment = if self.count == 1 { self.context.moment } else { Moment::now() };
        let worker = &self.context.client.worker;
        let mut picked = worker.with_env(moment, |env| cluster.pick(&pick, env));
        if picked.is_err() && !cluster.dns_targets().is_empty() {
            // The cluster is so new that its names were not resolved yet, or have been just now.
            if worker.asks_for_names(cluster) {
                Box::pin(worker.names.settle(cluster)).await;
            }
            picked = worker.with_env(Moment::now(), |env| cluster.pick(&pick, env));
        }
        let endpoint = picked.map_err(|_none| {
            self.counts.cluster.none_healthy.add(1);
            Failure::NoHealthyUpstream
        })?;
        self.tried.note(&endpoint);
        Ok(endpoint)
    }

    /// Where the host that the request names is: at the port that it names, else that of the scheme.
    async fn named(&self) -> Result<SocketAddr, Failure> {
        let settings = &self.forward.cluster.settings;
        if !self.context.place.manager.filters.dynamic_forward_proxy {
            return Err(Failure::NoHealthyUpstream);
        }
        let authority = self.context.head.authority;
        let host = host_of(authority);
        let port = authority.get(host.len()..).and_then(|rest| rest.rsplit(':').next());
        let port = port.and_then(|port| port.parse().ok());
        let usual = if settings.tls.is_some() { 443 } else { 80 };
        let hosts = &self.context.client.worker.hosts;
        let address = hosts.address(host, &settings.dns).await?;
        Ok(SocketAddr::new(address, port.unwrap_or(usual)))
    }

    /// Where the host of the request is, which the mesh does not know.
    async fn look_up(&self, port: u16) -> Option<SocketAddr> {
        let authority = self.context.head.authority;
        let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let worker = &self.context.client.worker;
        let host = worker.tables().canonical_name(host).to_owned();
        let found = worker.names.look_up(&host).await;
        Some(SocketAddr::new(*found.first()?, port))
    }

    /// The head of the request as this attempt sends it.
    fn request(&self, endpoint: &Endpoint, tail: &mut Tail) -> Result<Outgoing, Failure> {
        let outgoing = self.context.outgoing(self.forward, endpoint, self.count);
        let outgoing = outgoing.ok_or(Failure::Protocol)?;
        self.capture(&outgoing, tail);
        Ok(outgoing)
    }

    /// The body of the request as this attempt sends it.
    fn body(&self) -> Result<RequestBody, Failure> {
        let Some(source) = &self.body else { return Ok(RequestBody::Empty) };
        source.next_attempt().map(RequestBody::Client).ok_or(Failure::Termination)
    }

    fn capture(&self, outgoing: &Outgoing, tail: &mut Tail) {
        let Some(log) = &self.context.client.worker.log else { return };
        let Some(facts) = tail.facts() else { return };
        facts.captured = Some(Box::new(Captured {
            method: outgoing.method.clone(),
            path: Some(outgoing.path.clone()),
            authority: Some(outgoing.authority.clone()),
            request: log.capture(&outgoing.headers),
            response: Vec::new(),
        }));
    }
}

/// Gives up an attempt that is to be made again. A connection whose answer had no body can be used again at once.
fn discard(result: Result<Answer, Failure>) {
    let Ok(answer) = result else { return };
    answer.active.ended(Some(answer.head.status));
    if answer.lease.is_end_stream() {
        answer.lease.finish(Instant::now());
    }
}

fn flag(tail: &mut Tail, flag: ResponseFlags) {
    if let Some(facts) = tail.facts() {
        facts.flags.insert(flag);
    }
}

fn reset(failure: &Failure) -> Option<ResetReason> {
    Some(match failure {
        Failure::Connect { .. } => ResetReason::ConnectFailure,
        Failure::ConnectTimeout => ResetReason::ConnectTimeout,
        Failure::RefusedStream => ResetReason::RefusedStream,
        Failure::RemoteReset => ResetReason::RemoteReset,
        Failure::Termination => ResetReason::ConnectionTermination,
        Failure::Protocol => ResetReason::ProtocolError,
        Failure::Overflow => ResetReason::Overflow,
        Failure::NoHealthyUpstream
        | Failure::NotResolved
        | Failure::TooManyHosts
        | Failure::Timeout
        | Failure::PerTryTimeout
        | Failure::PerTryIdle
        | Failure::StreamIdle { .. }
        | Failure::StreamLife { .. }
        | Failure::Downstream
        | Failure::DownstreamReset
        | Failure::DownstreamProtocol => return None,
    })
}
