//! How often a request would be sent, if each attempt failed in the same way.

use std::time::Duration;

use http::StatusCode;
use pilotage_engine::Env;
use pilotage_engine::forward::Forward;
use pilotage_engine::headers::Headers;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::request::RequestHead;
use pilotage_engine::retries::{AttemptOutcome, ResetReason, RetryState, Tried, Verdict};
use serde_json::{Map, Value, json};

/// Nobody is told of more tries than that.
const TRIES_MAX: u32 = 100;
/// Answers that are tried.
const STATUSES: [u16; 5] = [409, 500, 502, 503, 504];

/// Tries by kind of failure (a status, `refused`, `reset` or `timeout`), the limit of each and the first wait.
pub(super) fn told(forward: &Forward, head: &RequestHead<'_>, env: &mut Env<'_>) -> Value {
    let headers = Headers::new();
    let mut tries = Map::new();
    for code in STATUSES {
        let status = StatusCode::from_u16(code).expect("a status");
        let failure = AttemptOutcome::Response { status, headers: &headers };
        tries.insert(code.to_string(), json!(count(forward, head, &failure, env)));
    }
    let reset = |reason, request_sent| AttemptOutcome::Reset { reason, request_sent };
    let others = [
        ("refused", reset(ResetReason::ConnectFailure, false)),
        ("reset", reset(ResetReason::RemoteReset, true)),
        ("timeout", AttemptOutcome::PerTryTimeout),
    ];
    for (kind, failure) in others {
        tries.insert(kind.to_owned(), json!(count(forward, head, &failure, env)));
    }
    let state = RetryState::new(forward, head);
    let policy = state.as_ref().map(RetryState::policy);
    let text = |duration: Option<Duration>| duration.map(|duration| format!("{duration:?}"));
    json!({
        "tries": tries,
        "each": text(policy.and_then(|policy| policy.per_try_timeout)),
        "backoff": text(policy.map(|policy| policy.base_interval)),
        "at": endpoints(forward, head, env).join(" "),
    })
}

/// Where the attempts go if each is answered with 503; nothing when that is not tried again. Only then, because every
/// choice moves on those that take turns.
fn endpoints(forward: &Forward, head: &RequestHead<'_>, env: &mut Env<'_>) -> Vec<String> {
    let headers = Headers::new();
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let failure = AttemptOutcome::Response { status, headers: &headers };
    let policy = forward.action().and_then(|action| action.retries.as_deref());
    let (mut tried, mut state) = (Tried::new(policy), RetryState::new(forward, head));
    let mut found = Vec::new();
    if count(forward, head, &failure, env) == 1 {
        return found;
    }
    loop {
        let context = tried.context(|| forward.cluster.endpoints());
        let context = PickContext { hash: forward.hash, ..context };
        let Ok(endpoint) = forward.cluster.pick(&context, env) else { break };
        tried.note(&endpoint);
        found.extend(endpoint.address.socket().map(|address| address.to_string()));
        let again = state.as_mut().map(|state| state.outcome(&failure, env));
        if !matches!(again, Some(Verdict::Retry(_))) {
            break;
        }
    }
    found
}

fn count(
    forward: &Forward,
    head: &RequestHead<'_>,
    failure: &AttemptOutcome<'_>,
    env: &mut Env<'_>,
) -> u32 {
    let Some(mut state) = RetryState::new(forward, head) else { return 1 };
    let mut tries = 1;
    while tries < TRIES_MAX && matches!(state.outcome(failure, env), Verdict::Retry(_)) {
        tries += 1;
    }
    tries
}
