//! The decision: what becomes of a request.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use crate::cors;
use crate::env::Env;
use crate::faults::{self, Fault};
use crate::forward::{Exchange, Forward};
use crate::forwarded::is_upgrade;
use crate::hash_policy::{self, Hashed};
use crate::http_manager::HttpManager;
use crate::local_reply::LocalReply;
use crate::path::{without_parameters, without_query};
use crate::redirect::Redirect;
use crate::request::{RequestHead, steers_router};
use crate::response_flag::{ResponseFlags, details};
use crate::route::{ClusterChoice, ForwardAction, RouteAction, RouteEntry, WeightedCluster};
use crate::route_match::Subject;
use crate::route_table::RouteTable;
use crate::tables::Tables;
use crate::timeouts::Timeouts;
use crate::trace::Trace;
use crate::virtual_host::{RequireTls, VirtualHost};

/// What becomes of a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered here.
    Reply(Box<LocalReply>),
    /// It goes upstream.
    Forward(Box<Forward>),
}

/// Says what becomes of `head`, which has been through [`crate::forwarded::prepare`].
///
/// Total: whatever the tables and the request are, there is an answer. Clusters are looked up in `tables`, so that a
/// route never outlives the cluster it names.
pub fn decide(
    tables: &Tables,
    manager: &HttpManager,
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Decision {
    match route(manager.route_table(tables), head, env, trace) {
        Ok((route, random)) => filters(tables, manager, route, random, head, env, trace),
        Err(reply) => Decision::Reply(reply),
    }
}

/// The route that takes the request, with the request's random number.
fn route<'t>(
    table: Option<&'t Arc<RouteTable>>,
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Result<(&'t Arc<RouteEntry>, u64), Box<LocalReply>> {
    let Some((table, host)) = table.and_then(|t| Some((t, t.virtual_host(head.authority)?))) else {
        trace.virtual_host(head.authority, None);
        return Err(not_found(None));
    };
    trace.virtual_host(head.authority, Some(host));
    if let Some(reply) = require_tls(host, head) {
        return Err(reply);
    }
    let mut path = std::borrow::Cow::Borrowed(without_query(head.path));
    if table.ignores_path_parameters() {
        path = std::borrow::Cow::Owned(without_parameters(&path).into_owned());
    }
    let subject = Subject { head, path: &path, random: env.random() };
    for (index, route) in host.routes.iter().enumerate() {
        trace.route(index, route);
        if route.matcher.matches(&subject, trace) {
            return Ok((route, subject.random));
        }
    }
    Err(not_found(Some(host)))
}

fn not_found(host: Option<&Arc<VirtualHost>>) -> Box<LocalReply> {
    let mut reply = LocalReply::new(StatusCode::NOT_FOUND, "", details::ROUTE_NOT_FOUND)
        .with_flags(ResponseFlags::NO_ROUTE);
    reply.virtual_host = host.map(|host| Arc::clone(&host.settings));
    Box::new(reply)
}

/// The redirect to https of a virtual host that demands it.
fn require_tls(host: &VirtualHost, head: &RequestHead<'_>) -> Option<Box<LocalReply>> {
    if host.settings.require_tls == RequireTls::None {
        return None;
    }
    let header = |name| head.headers.get(name).map(HeaderValue::as_bytes);
    let demanded = match host.settings.require_tls {
        RequireTls::None => false,
        RequireTls::ExternalOnly => header("x-envoy-internal") != Some(b"true"),
        RequireTls::All => true,
    };
    let proto = header("x-forwarded-proto").unwrap_or(head.scheme.as_bytes());
    if !demanded || proto == b"https" {
        return None;
    }
    let mut reply = LocalReply::new(StatusCode::MOVED_PERMANENTLY, "", details::DIRECT_RESPONSE);
    reply.virtual_host = Some(Arc::clone(&host.settings));
    let location = format!("https://{}{}", head.authority, head.path);
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers.insert(LOCATION, location);
    }
    Some(Box::new(reply))
}

/// Runs the filters that may answer in place of the route, then the route's action.
fn filters(
    tables: &Tables,
    manager: &HttpManager,
    route: &Arc<RouteEntry>,
    random: u64,
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Decision {
    let cluster = cluster_name(route, head, random);
    let fault = route.fault.as_deref().filter(|_| manager.filters.fault);
    let drawn = fault.map(|f| draw_fault(f, head, cluster.name(), env, trace)).unwrap_or_default();
    let delayed = drawn.delay.map(|_| ResponseFlags::DELAY_INJECTED);
    let taken = Taken { route, cluster, flags: delayed.unwrap_or_default() };
    // Routes that answer themselves do not take part in CORS.
    let forwards = matches!(route.action, RouteAction::Forward(_));
    let cors = route.cors.as_deref().filter(|_| manager.filters.cors && forwards);
    let cors = cors.map_or(cors::Verdict::Ignore, |policy| policy.decide(head));
    let mut decision = match (drawn.abort, cors) {
        (_, cors::Verdict::Answer(reply)) if manager.filters.cors_before_fault => {
            trace.note(format_args!("the CORS policy answers the preflight request"));
            Decision::Reply(reply)
        }
        (Some(abort), _) => {
            let mut reply = aborted(abort);
            reply.cluster = taken.known_cluster(tables);
            own_answer(reply, &taken, head, env)
        }
        (None, cors::Verdict::Answer(reply)) => {
            trace.note(format_args!("the CORS policy answers the preflight request"));
            Decision::Reply(reply)
        }
        (None, cors::Verdict::Ignore) => act(tables, manager, &taken, head, env, trace),
        (None, cors::Verdict::Allow(origin)) => {
            let mut decision = act(tables, manager, &taken, head, env, trace);
            allow_origin(&mut decision, route, origin);
            decision
        }
    };
    match &mut decision {
        Decision::Reply(reply) => {
            reply.delay = drawn.delay;
            reply.flags = taken.flags | reply.flags;
            reply.route = Some(Arc::clone(route));
            reply.virtual_host = Some(Arc::clone(&route.virtual_host));
            reply.cluster = taken.known_cluster(tables);
        }
        Decision::Forward(forward) => forward.delay = drawn.delay,
    }
    decision
}

fn draw_fault(
    fault: &Fault,
    head: &RequestHead<'_>,
    cluster: Option<&str>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> faults::Drawn {
    let drawn = fault.draw(head, cluster, env);
    if let Some(delay) = drawn.delay {
        trace.note(format_args!("a delay of {delay:?} is injected"));
    }
    if let Some(abort) = drawn.abort {
        trace.note(format_args!("an abort with status {} is injected", abort.status));
    }
    drawn
}

fn aborted(abort: faults::Abort) -> LocalReply {
    let mut reply = LocalReply::new(abort.status, "fault filter abort", details::FAULT_ABORT)
        .with_flags(ResponseFlags::FAULT_INJECTED);
    reply.grpc_status = abort.grpc_status;
    reply
}

fn allow_origin(decision: &mut Decision, route: &RouteEntry, origin: HeaderValue) {
    match decision {
        Decision::Forward(forward) => forward.cors_origin = Some(origin),
        Decision::Reply(reply) => {
            if let Some(policy) = &route.cors {
                policy.apply(&mut reply.headers, &origin);
            }
        }
    }
}

/// The cluster that a forwarding route chose for a request.
enum Chosen<'r> {
    /// The route does not forward.
    None,
    /// One of its clusters.
    Drawn { index: usize, name: &'r Arc<str>, point: u64, total: u64 },
    /// Named by a header.
    Named(Arc<str>),
}

impl Chosen<'_> {
    fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Drawn { name, .. } => Some(name),
            Self::Named(name) => Some(name),
        }
    }

    fn shared(&self) -> Option<Arc<str>> {
        match self {
            Self::None => None,
            Self::Drawn { name, .. } => Some(Arc::clone(name)),
            Self::Named(name) => Some(Arc::clone(name)),
        }
    }

    fn index(&self) -> usize {
        match self {
            Self::Drawn { index, .. } => *index,
            Self::None | Self::Named(_) => 0,
        }
    }
}

/// The route that takes a request, and what was drawn for it.
struct Taken<'r> {
    route: &'r Arc<RouteEntry>,
    cluster: Chosen<'r>,
    /// What happened to the request already.
    flags: ResponseFlags,
}

impl<'r> Taken<'r> {
    /// The entry of the route's clusters that was drawn.
    fn weighted(&self) -> Option<&'r WeightedCluster> {
        let RouteAction::Forward(action) = &self.route.action else { return None };
        match &action.clusters {
            ClusterChoice::Draw(clusters) => clusters.get(self.cluster.index()),
            ClusterChoice::Header(_) => None,
        }
    }

    /// The cluster, if it is there.
    fn known_cluster(&self, tables: &Tables) -> Option<Arc<str>> {
        self.cluster.shared().filter(|name| tables.cluster(name).is_some())
    }
}

fn cluster_name<'r>(route: &'r RouteEntry, head: &RequestHead<'_>, random: u64) -> Chosen<'r> {
    let RouteAction::Forward(action) = &route.action else { return Chosen::None };
    match &action.clusters {
        ClusterChoice::Draw(clusters) => {
            let drawn = clusters.draw(|| random);
            let (point, total) = (drawn.point, drawn.total);
            Chosen::Drawn { index: drawn.index, name: &drawn.value.name, point, total }
        }
        ClusterChoice::Header(source) => {
            let named = source.first_text_in(head);
            Chosen::Named(named.unwrap_or_default().into())
        }
    }
}

/// What the route itself does.
fn act(
    tables: &Tables,
    manager: &HttpManager,
    taken: &Taken<'_>,
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Decision {
    let route = taken.route;
    match &route.action {
        RouteAction::Forward(action) => forward(tables, manager, (taken, action), head, env, trace),
        RouteAction::Redirect(redirect) => {
            let mut reply = LocalReply::new(redirect.status, "", details::DIRECT_RESPONSE);
            locate(&mut reply, redirect, route, head);
            let path = route.seen_path(head.path);
            own_answer(reply, taken, &RequestHead { path: &path, ..*head }, env)
        }
        RouteAction::DirectResponse(response) => {
            let body = response.body.clone();
            let mut reply = LocalReply::new(response.status, body, details::DIRECT_RESPONSE);
            if response.status == StatusCode::CREATED || response.status.is_redirection() {
                // Such a status promises a place: the one that was asked for.
                locate(&mut reply, &Redirect::to_itself(response.status), route, head);
            }
            own_answer(reply, taken, head, env)
        }
    }
}

fn locate(reply: &mut LocalReply, redirect: &Redirect, route: &RouteEntry, head: &RequestHead<'_>) {
    let matched = route.matcher.matched_length(head.path);
    if let Ok(location) = HeaderValue::from_str(&redirect.location(head, matched)) {
        reply.headers.insert(LOCATION, location);
    }
}

/// An answer in place of an upstream's, with the route's operations on response headers.
fn own_answer(
    mut reply: LocalReply,
    taken: &Taken<'_>,
    head: &RequestHead<'_>,
    env: &Env<'_>,
) -> Decision {
    // Envoy knows the status only when the answer is on its way.
    let exchange = Exchange {
        status: None,
        details: &reply.details,
        cluster: reply.cluster.as_deref(),
        flags: taken.flags | reply.flags,
        start: env.unix_time,
        ..Exchange::default()
    };
    let (route, weighted) = (taken.route, taken.weighted());
    crate::forward::apply_response_operations(route, weighted, &mut reply.headers, head, &exchange);
    Decision::Reply(Box::new(reply))
}

fn forward(
    tables: &Tables,
    manager: &HttpManager,
    (taken, action): (&Taken<'_>, &ForwardAction),
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Decision {
    let Taken { route, cluster: chosen, flags } = taken;
    let name = chosen.name().unwrap_or_default();
    if let Chosen::Drawn { index, point, total, .. } = chosen {
        trace.weighted_cluster(*index, name, *point, *total);
    }
    let found = tables.cluster(name);
    trace.cluster(name, found.is_some());
    let Some(cluster) = found else {
        let reply = LocalReply::new(action.not_found_status, "", details::CLUSTER_NOT_FOUND)
            .with_flags(ResponseFlags::NO_CLUSTER);
        return own_answer(reply, taken, head, env);
    };
    if let Some(reply) = refused_upgrade(manager, action, head) {
        return Decision::Reply(Box::new(reply));
    }
    let mut mirrors = Vec::new();
    for (index, mirror) in action.mirrors.iter().enumerate() {
        if mirror.fraction.draw(|| env.random()) {
            trace.note(format_args!("a copy goes to {}", mirror.cluster));
            mirrors.push(index);
        }
    }
    let Hashed { hash, set_cookie } = if cluster.settings.hashes_requests {
        hash_policy::hash(&action.hash_policies, head)
    } else {
        Hashed::default()
    };
    let steered = steers_router(head.headers);
    Decision::Forward(Box::new(Forward {
        route: Arc::clone(route),
        cluster: Arc::clone(cluster),
        weighted_index: chosen.index(),
        timeouts: Timeouts::of(manager, action, head, steered),
        hash,
        set_cookie,
        mirrors,
        delay: None,
        cors_origin: None,
        flags: *flags,
        auto_host_rewrite: action.rewrites_host_to_endpoint(),
        steered,
        direction: manager.direction,
        traced: manager.tracing.is_some(),
        suppress_envoy_headers: manager.suppress_envoy_headers,
    }))
}

/// The answer to a request for an upgrade that is not allowed.
fn refused_upgrade(
    manager: &HttpManager,
    action: &ForwardAction,
    head: &RequestHead<'_>,
) -> Option<LocalReply> {
    let protocol = requested_upgrade(head)?;
    let by_route = action.upgrades.iter().find(|(name, _)| name.eq_ignore_ascii_case(protocol));
    let allowed =
        by_route.map_or_else(|| manager.allows_upgrade(protocol), |(_, allowed)| *allowed);
    // An upgrade nobody configured is refused; CONNECT is one too.
    (!allowed).then(|| LocalReply::new(StatusCode::FORBIDDEN, "", details::UPGRADE_FAILED))
}

/// The protocol that an HTTP/1 client asks to upgrade to. `h2c` is an offer that may be ignored, not a request.
fn requested_upgrade<'h>(head: &RequestHead<'h>) -> Option<&'h str> {
    if head.method == http::Method::CONNECT {
        return Some("CONNECT");
    }
    if !is_upgrade(head.headers) {
        return None;
    }
    let protocol = head.headers.get(http::header::UPGRADE)?.to_str().ok()?.trim();
    (!protocol.is_empty() && !protocol.eq_ignore_ascii_case("h2c")).then_some(protocol)
}
