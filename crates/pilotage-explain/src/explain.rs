//! Explaining one request: the decision of production, and what it was made of.

use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::filter_chain::FilterChain;
use pilotage_engine::listener::ListenerTable;
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::origin::Origin;
use pilotage_engine::response_flag::details;
use pilotage_engine::route::{RouteAction, RouteEntry};
use pilotage_engine::tcp_route::TcpRoute;
use pilotage_engine::{Decision, Tables};
use pilotage_model::Snapshot;

use crate::destinations::Destinations;
use crate::explanation::{
    Asked, Asker, Destination, Explanation, Failure, HostAnswer, Outcome, VERSION,
};
use crate::passage::{End, HttpEnd, Passage, carry};
use crate::places::Places;
use crate::recorder::{Chance, Recorder};
use crate::request::{Arrival, ClientTls, Protocol, Request};
use crate::simulation::Simulation;
use crate::{absent_rules, alternatives, hosts, messages, policies, rivals};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The URL as typed.
    pub url: String,
    /// Its host, without port.
    pub host: String,
    /// The request.
    pub request: Request,
    /// How it arrives.
    pub arrival: Arrival,
    /// The time since some fixed moment, for what changes with time: ejections of a running proxy.
    pub now: Duration,
}

/// Everything that answers are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) simulation: &'a Simulation,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) places: Places<'a>,
    pub(crate) question: &'a Question,
}

impl Scene<'_> {
    pub(crate) fn tables(&self) -> &Tables {
        &self.simulation.tables
    }
}

/// Says what becomes of the request of `question` at the proxy of `simulation`, which was made of `snapshot`.
#[must_use]
pub fn explain(simulation: &Simulation, snapshot: &Snapshot, question: &Question) -> Explanation {
    let places = Places::new(&snapshot.objects);
    let scene = Scene { simulation, snapshot, places, question };
    let mut answer = route(&scene, &question.request, true);
    answer.host = hosts::answer(&scene, &answer);
    answer.absent = absent_rules::of(&scene, &answer);
    answer.rivals = rivals::of(&scene, &answer);
    answer.alternatives = alternatives::of(&scene, &answer);
    answer.message = messages::sentence(&scene, &answer);
    answer
}

/// Routes `request` instead of the one that was asked about. Without `details` only rule and destinations are told.
pub(crate) fn route(scene: &Scene<'_>, request: &Request, details: bool) -> Explanation {
    let chance = Chance::at(0);
    let mut recorder = Recorder::new(&chance, scene.places);
    let (tables, arrival) = (scene.tables(), &scene.question.arrival);
    let passage =
        chance.with(scene.question.now, |env| carry(tables, arrival, request, env, &mut recorder));
    let mut answer = asked(scene, request);
    answer.listener = passage.listener.map(|listener| listener.name.to_string());
    answer.filter_chain = passage.chain.map(|chain| chain.name.to_string());
    answer.virtual_host = recorder.virtual_host.take();
    answer.host.domain = recorder.domains.into_iter().next();
    let tried = std::mem::take(&mut recorder.tried);
    let matched = tried.iter().rev().find(|(_, tried)| tried.matched);
    let from = matched.and_then(|(from, _)| from.clone());
    answer.rule = matched.map(|(_, tried)| tried.rule.clone());
    answer.trace = tried.into_iter().map(|(_, tried)| tried).collect();
    answer.notes = recorder.notes;
    match &passage.end {
        End::NoListener => fail(&mut answer, Failure::NoListener, None, ""),
        End::NoFilterChain | End::Closed => {
            fail(&mut answer, Failure::NoFilterChain, None, "NR");
            answer.details = Some(details::FILTER_CHAIN_NOT_FOUND.to_owned());
        }
        End::NoCertificate(_) => {
            fail(&mut answer, Failure::MtlsError, None, "");
            answer.details = Some("PEER_DID_NOT_RETURN_A_CERTIFICATE".to_owned());
        }
        End::NotHttp | End::UnknownMethod => {
            fail(&mut answer, Failure::ProtocolError, Some(400), "DPE");
            answer.details = Some("http1.codec_error".to_owned());
        }
        End::Tcp(route) => tcp(scene, &mut answer, &passage, route),
        End::Http(end) => http(scene, &mut answer, end, request, from.as_ref(), details),
    }
    answer
}

fn fail(answer: &mut Explanation, failure: Failure, status: Option<u16>, flags: &str) {
    answer.outcome = Outcome::None;
    answer.error = Some(failure);
    answer.status = status;
    flags.clone_into(&mut answer.flags);
}

/// An answer that says only what was asked.
fn asked(scene: &Scene<'_>, request: &Request) -> Explanation {
    let (question, proxy) = (scene.question, &scene.simulation.view.proxy);
    let mut headers = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (name, value) in request.headers.iter() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.as_str().to_owned()).or_default().push(value);
    }
    Explanation {
        version: VERSION,
        request: Asked {
            method: request.method.to_string(),
            url: question.url.clone(),
            authority: request.authority.clone(),
            path: request.path.clone(),
            headers,
            protocol: match request.protocol {
                Protocol::Http1 => "http",
                Protocol::Http2 => "http2",
                Protocol::Tcp => "tcp",
            }
            .to_owned(),
            tls: match request.tls {
                ClientTls::Plaintext => "plaintext",
                ClientTls::Tls => "tls",
                ClientTls::Mtls => "mtls",
            }
            .to_owned(),
            sni: request.server_name.clone(),
            mode: if question.arrival.inbound { "inbound" } else { "outbound" }.to_owned(),
            destination: question.arrival.destination.to_string(),
        },
        proxy: Asker {
            kind: if proxy.is_sidecar() { "sidecar" } else { "gateway" }.to_owned(),
            namespace: proxy.namespace.to_string(),
            labels: proxy.labels.clone(),
            addresses: proxy.addresses.iter().map(ToString::to_string).collect(),
        },
        host: HostAnswer { asked: question.host.clone(), ..HostAnswer::default() },
        ..Explanation::default()
    }
}

/// Where bytes go.
fn tcp(scene: &Scene<'_>, answer: &mut Explanation, passage: &Passage<'_>, route: &TcpRoute) {
    let from = passage
        .listener
        .zip(passage.chain)
        .and_then(|(listener, chain)| origin_of_chain(scene.tables(), listener, chain));
    answer.rule = from.as_ref().map(|from| scene.places.rule(from, ""));
    let shares = route.shares().map(|(name, weight)| (name.to_string(), weight)).collect();
    let destinations = Destinations { scene, from: from.as_ref(), rule: None };
    answer.clusters = destinations.of(shares);
    // A connection that goes nowhere is closed without an answer.
    answer.clusters.iter_mut().for_each(|cluster| cluster.status = None);
    answer.outcome = Outcome::Forward;
    settle(answer);
}

/// Where a filter chain comes from.
fn origin_of_chain(
    tables: &Tables,
    listener: &ListenerTable,
    chain: &FilterChain,
) -> Option<Origin> {
    let position = listener.chains().position(|known| std::ptr::eq(&**known, chain))?;
    let proto = tables.accepted().listeners.get(&*listener.name)?;
    let chain = proto.filter_chains.get(position).or(proto.default_filter_chain.as_ref())?;
    Origin::of(chain.metadata.as_ref()?)
}

fn http(
    scene: &Scene<'_>,
    answer: &mut Explanation,
    end: &HttpEnd<'_>,
    request: &Request,
    from: Option<&Origin>,
    details: bool,
) {
    answer.route_config =
        end.manager.route_table(scene.tables()).map(|table| table.name.to_string());
    let route = match &end.decision {
        Decision::Forward(forward) => Some(&forward.route),
        Decision::Reply(reply) => reply.route.as_ref(),
    };
    let Some(route) = route else {
        if let Decision::Reply(reply) = &end.decision {
            unrouted(answer, reply, end.head.is_some());
        }
        return;
    };
    answer.route = Some(route.name.to_string()).filter(|name| !name.is_empty());
    if answer.virtual_host.is_none() {
        answer.virtual_host = Some(route.virtual_host.name.to_string());
    }
    let written = from.and_then(|from| scene.places.http_rule(&from.object, from.rule()));
    match (&route.action, &end.decision) {
        (RouteAction::Forward(_), _) => {
            let mut decisions = decisions(scene, request, route, end);
            let shares = decisions.iter().map(|(name, weight, _)| (name.clone(), *weight));
            let destinations = Destinations { scene, from, rule: written };
            answer.clusters = destinations.of(shares.collect());
            for ((_, _, decision), cluster) in decisions.iter_mut().zip(&mut answer.clusters) {
                destinations.decided(cluster, decision, end.head.as_ref(), request);
            }
            answer.outcome = Outcome::Forward;
            settle(answer);
            if let Some(reply) = own_answer(&end.decision) {
                take_reply(answer, reply);
                answer.outcome = Outcome::DirectResponse;
            }
        }
        (RouteAction::Redirect(_), Decision::Reply(reply)) => {
            take_reply(answer, reply);
            answer.outcome = aborted_or(reply, Outcome::Redirect);
        }
        (_, Decision::Reply(reply)) => {
            take_reply(answer, reply);
            answer.outcome = aborted_or(reply, Outcome::DirectResponse);
        }
        // A route that does not forward is never decided so.
        (_, Decision::Forward(_)) => {}
    }
    if details {
        answer.policies = policies::of(scene, route, &end.decision, from, answer);
    }
}

/// What a filter answers in place of a route that would have forwarded.
fn own_answer(decision: &Decision) -> Option<&LocalReply> {
    let Decision::Reply(reply) = decision else { return None };
    [details::CORS_RESPONSE, details::UPGRADE_FAILED].contains(&&*reply.details).then_some(reply)
}

fn aborted_or(reply: &LocalReply, outcome: Outcome) -> Outcome {
    if reply.details == details::FAULT_ABORT { Outcome::DirectResponse } else { outcome }
}

/// The decision for each cluster that the route may draw: those of weight 0 are never drawn.
fn decisions(
    scene: &Scene<'_>,
    request: &Request,
    route: &RouteEntry,
    end: &HttpEnd<'_>,
) -> Vec<(String, u64, Option<Decision>)> {
    let RouteAction::Forward(action) = &route.action else { return Vec::new() };
    let mut found = Vec::new();
    let mut point = 0;
    for (cluster, weight) in action.shares() {
        let decision = (weight > 0).then(|| decide_at(scene, request, point)).flatten();
        found.push((cluster.name.to_string(), weight, decision));
        point += weight;
    }
    if found.is_empty() {
        // A header names the cluster.
        let name = match &end.decision {
            Decision::Forward(forward) => forward.cluster.name().to_owned(),
            Decision::Reply(reply) => reply.cluster.as_deref().unwrap_or_default().to_owned(),
        };
        found.push((name, 1, decide_at(scene, request, 0)));
    }
    found
}

fn decide_at(scene: &Scene<'_>, request: &Request, point: u64) -> Option<Decision> {
    let chance = Chance::at(point);
    let mut recorder = Recorder::new(&chance, scene.places);
    let (tables, arrival) = (scene.tables(), &scene.question.arrival);
    let passage =
        chance.with(scene.question.now, |env| carry(tables, arrival, request, env, &mut recorder));
    match passage.end {
        End::Http(end) => Some(end.decision),
        _ => None,
    }
}

/// Status and flags of the whole, when all destinations agree in them.
fn settle(answer: &mut Explanation) {
    let mut drawn = answer.clusters.iter().filter(|cluster| cluster.weight > 0);
    let Some(first) = drawn.next() else { return };
    let verdict = |cluster: &Destination| (cluster.status, cluster.flags.clone());
    let (status, flags) = verdict(first);
    if drawn.all(|cluster| verdict(cluster) == (status, flags.clone())) {
        answer.status = status;
        answer.flags = flags;
    }
}

/// A request that no route took.
fn unrouted(answer: &mut Explanation, reply: &LocalReply, prepared: bool) {
    take_reply(answer, reply);
    let failure = match (&*reply.details, &reply.virtual_host) {
        (details::ROUTE_NOT_FOUND, None) => Failure::NoVirtualHost,
        (details::ROUTE_NOT_FOUND, Some(_)) => Failure::NoRoute,
        _ if prepared => Failure::TlsRedirect,
        _ if reply.status.is_redirection() => {
            answer.outcome = Outcome::Redirect;
            return;
        }
        _ => Failure::ProtocolError,
    };
    answer.outcome = Outcome::None;
    answer.error = Some(failure);
}

fn take_reply(answer: &mut Explanation, reply: &LocalReply) {
    let is_grpc = answer
        .request
        .headers
        .get("content-type")
        .is_some_and(|values| values.iter().any(|value| value.starts_with("application/grpc")));
    let is_head = answer.request.method == "HEAD";
    let response = reply.clone().into_answer(is_grpc, is_head);
    answer.status = Some(response.status.as_u16());
    answer.flags = reply.flags.to_string();
    answer.details = Some(reply.details.to_string());
    let location = response.headers.get(http::header::LOCATION);
    answer.location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = String::from_utf8_lossy(&response.body).into_owned();
    answer.body = Some(body).filter(|body| !body.is_empty());
}

/// The metadata of a cluster as delivered.
pub(crate) fn origin_of_cluster(tables: &Tables, name: &str) -> Option<Origin> {
    let cluster: &Arc<_> = tables.accepted().clusters.get(name)?;
    Origin::of(cluster.metadata.as_ref()?)
}
