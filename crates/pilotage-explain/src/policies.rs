//! What a rule does to a request whatever the destination: fault, rewrite, headers, timeout, retries, mirrors, CORS.

use pilotage_engine::Decision;
use pilotage_engine::faults::Fault;
use pilotage_engine::fraction::Fraction;
use pilotage_engine::headers::Headers;
use pilotage_engine::origin::Origin;
use pilotage_engine::retries::RetryPolicy;
use pilotage_engine::route::{ForwardAction, RouteAction, RouteEntry};
use serde_json::{Value, json};

use crate::cluster_policies::{DEFAULT, millis};
use crate::destinations::ClusterName;
use crate::explain::Scene;
use crate::explanation::{Explanation, Fact, Place};
use crate::words::{duration, percent};

/// The header by which clients ask for a timeout.
const CLIENT_TIMEOUT: &str = "x-envoy-upstream-rq-timeout-ms";

/// A rule, to look up its lines.
#[derive(Clone, Copy)]
struct Rule<'a> {
    scene: &'a Scene<'a>,
    from: Option<&'a Origin>,
}

impl Rule<'_> {
    /// The line of a field of the rule, if it was written.
    fn written(&self, field: &str) -> Option<Place> {
        let from = self.from?;
        let places = self.scene.places;
        let own = places.written(&from.object, &format!("{}.{field}", from.rule()));
        // What a delegate leaves open may be said where it is delegated to.
        own.or_else(|| {
            let (object, path) = from.via.as_ref()?;
            places.written(object, &format!("{path}.{field}"))
        })
    }

    fn fact(&self, topic: &str, text: String, value: Value, field: &str) -> Fact {
        let place = self.written(field);
        let source = place.is_none().then(|| DEFAULT.to_owned());
        Fact { topic: topic.to_owned(), text, value, place, source }
    }
}

/// The facts about `route`, in the order in which they take effect.
pub(crate) fn of(
    scene: &Scene<'_>,
    route: &RouteEntry,
    decision: &Decision,
    from: Option<&Origin>,
    answer: &Explanation,
) -> Vec<Fact> {
    let rule = Rule { scene, from };
    let mut facts = Vec::new();
    if let Some(fault) = &route.fault {
        facts.extend(faults(rule, fault));
    }
    if route.cors.is_some() {
        let text = "applies to requests with an Origin".to_owned();
        facts.push(rule.fact("cors", text, Value::Bool(true), "corsPolicy"));
    }
    facts.extend(rewrite(rule, answer));
    if let Some(from) = from {
        let written = scene.places.http_rule(&from.object, from.rule());
        let headers = written.and_then(|written| written.headers.as_deref());
        let places = scene.places;
        facts.extend(crate::header_operations::of(places, &from.object, from.rule(), headers));
    }
    let RouteAction::Forward(action) = &route.action else { return facts };
    facts.push(timeout(rule, action, decision, &scene.question.request.headers));
    facts.push(retries(rule, action.retries.as_deref()));
    for (index, mirror) in action.mirrors.iter().enumerate() {
        let share = percent_of(mirror.fraction);
        let parts = ClusterName::parse(&mirror.cluster);
        let to = parts.map_or_else(
            || mirror.cluster.to_string(),
            |parts| match parts.subset {
                "" => parts.host.to_owned(),
                subset => format!("subset {subset} of {}", parts.host),
            },
        );
        let text = format!("{} of the requests, to {to}", percent(share));
        let value = json!({"cluster": &*mirror.cluster, "percent": share});
        let several = rule.written("mirrors").is_some();
        let field = if several { format!("mirrors[{index}]") } else { "mirror".to_owned() };
        facts.push(rule.fact("mirror", text, value, &field));
    }
    facts
}

fn percent_of(fraction: Fraction) -> f64 {
    f64::from(fraction.millionths()) / 10_000.0
}

fn faults(rule: Rule<'_>, fault: &Fault) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some((time, share)) = fault.delay() {
        let share = percent_of(share);
        let text = format!("{} of the requests wait {}", percent(share), duration(time));
        let value = json!({"delayMs": millis(time), "percent": share});
        facts.push(rule.fact("fault", text, value, "fault.delay"));
    }
    if let Some((abort, share)) = fault.abort() {
        let share = percent_of(share);
        let answer = match abort.grpc_status {
            Some(status) => format!("gRPC status {status}"),
            None => abort.status.as_u16().to_string(),
        };
        let text = format!("{} of the requests are answered with {answer}", percent(share));
        let value = json!({
            "status": abort.status.as_u16(), "grpcStatus": abort.grpc_status, "percent": share,
        });
        facts.push(rule.fact("fault", text, value, "fault.abort"));
    }
    facts
}

/// What becomes of path and host.
fn rewrite(rule: Rule<'_>, answer: &Explanation) -> Vec<Fact> {
    let mut facts = Vec::new();
    let Some(upstream) = answer.clusters.iter().find_map(|cluster| cluster.upstream.as_ref())
    else {
        return facts;
    };
    if let Some(place) = rule.written("rewrite") {
        let asked = &answer.request;
        let (path, host) = (&upstream.path, &upstream.authority);
        let mut texts = Vec::new();
        if *path != asked.path {
            texts.push(format!("path {} → {path}", asked.path));
        }
        if Some(host) != asked.authority.as_ref() {
            let before = asked.authority.as_deref().unwrap_or_default();
            texts.push(format!("host {before} → {host}"));
        }
        let text =
            if texts.is_empty() { "changes nothing here".to_owned() } else { texts.join(", ") };
        let value = json!({"path": path, "authority": host});
        let topic = "rewrite".to_owned();
        facts.push(Fact { topic, text, value, place: Some(place), source: None });
    }
    facts
}

fn timeout(rule: Rule<'_>, action: &ForwardAction, decision: &Decision, headers: &Headers) -> Fact {
    let limit = match decision {
        Decision::Forward(forward) => forward.timeouts.global,
        Decision::Reply(_) => action.timeout,
    };
    let limit = limit.filter(|limit| !limit.is_zero());
    let text = limit.map_or_else(|| "none".to_owned(), duration);
    let value = json!({"ms": limit.map(millis)});
    let mut fact = rule.fact("timeout", text, value, "timeout");
    if headers.contains_key(CLIENT_TIMEOUT) && limit != action.timeout {
        fact.place = None;
        fact.source = Some(format!("request header {CLIENT_TIMEOUT}"));
    }
    fact
}

fn retries(rule: Rule<'_>, policy: Option<&RetryPolicy>) -> Fact {
    let (text, value) = match policy.filter(|policy| policy.max_retries > 0) {
        None => ("none".to_owned(), json!({"attempts": 0})),
        Some(policy) => {
            let mut on: Vec<String> = policy.conditions.names().map(str::to_owned).collect();
            // Without codes the word says nothing.
            on.retain(|name| name != "retriable-status-codes");
            if !policy.status_codes.is_empty() {
                let codes: Vec<String> = policy.status_codes.iter().map(u16::to_string).collect();
                on.push(format!("status {}", codes.join("/")));
            }
            let mut text = format!("{} on {}", policy.max_retries, on.join(", "));
            if let Some(limit) = policy.per_try_timeout {
                text = format!("{text}, {} each", duration(limit));
            }
            let value = json!({
                "attempts": policy.max_retries,
                "retryOn": policy.conditions.names().collect::<Vec<_>>(),
                "statusCodes": &policy.status_codes,
                "perTryTimeoutMs": policy.per_try_timeout.map(millis),
            });
            (text, value)
        }
    };
    let mut fact = rule.fact("retries", text, value, "retries");
    let config = rule.scene.simulation.view.mesh.config();
    if fact.place.is_none() && config.default_http_retry_policy.is_some() {
        fact.source = Some("MeshConfig defaultHttpRetryPolicy".to_owned());
    }
    fact
}
