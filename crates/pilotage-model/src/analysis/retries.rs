//! Retries that send requests a second time which the server may have carried out (PIL0311).

use pilotage_config::virtual_service::{
    HttpMatchRequest, HttpRoute, StringMatch, retriable_status_code,
};
use pilotage_config::{Diagnostic, Severity, codes};

use super::{Context, http_rules};

/// Conditions under which no server has seen the request.
const HARMLESS: [&str; 4] =
    ["connect-failure", "refused-stream", "reset-before-request", "http3-post-connect-failure"];
/// Conditions of gRPC, whose calls all are POST, and of headers that a server sets on purpose.
const CHOSEN: [&str; 7] = [
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "retriable-headers",
    "envoy-ratelimited",
];
/// Methods that a client may not simply repeat.
const UNSAFE_METHODS: [&str; 2] = ["POST", "PATCH"];

/// One problem for each rule with such retries: a warning where it is for such methods by name.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        let Some(retries) = rule.http.retries.as_ref().filter(|retries| retries.attempts > 0)
        else {
            continue;
        };
        let replaying: Vec<&str> = retries.retry_on.split(',').filter(|one| replays(one)).collect();
        let Some(severity) = severity(rule.http).filter(|_| !replaying.is_empty()) else {
            continue;
        };
        let list = replaying.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        let message = format!(
            "requests such as POST are sent again on {list}, when the server may have carried them out already"
        );
        let path = rule.path.field("retries").field("retryOn");
        problems.push(
            rule.object
                .value_diagnostic(codes::PIL0311, &path, message, "repeats what may be done")
                .with_severity(severity)
                .help("retry only methods that may be repeated (a rule with `method`), or on `connect-failure,refused-stream,reset-before-request`"),
        );
    }
    problems
}

fn replays(condition: &str) -> bool {
    let condition = condition.trim();
    // Codes below 500 say that the server refused the request.
    let refused = retriable_status_code(condition).is_some_and(|code| code < 500);
    !condition.is_empty()
        && condition != "retriable-status-codes"
        && condition != "retriable-4xx"
        && !HARMLESS.contains(&condition)
        && !CHOSEN.contains(&condition)
        && !refused
}

/// How bad it is, by the methods that the rule is for.
fn severity(http: &HttpRoute) -> Option<Severity> {
    let methods: Vec<Option<bool>> = http.match_.iter().map(is_unsafe).collect();
    if methods.contains(&Some(true)) {
        Some(Severity::Warning)
    } else if methods.is_empty() || methods.contains(&None) {
        Some(Severity::Info)
    } else {
        None
    }
}

/// Whether a block is for methods that cannot be repeated; nothing when it is for all.
fn is_unsafe(block: &HttpMatchRequest) -> Option<bool> {
    match block.method.as_ref()? {
        StringMatch::Unset => None,
        StringMatch::Exact(method) | StringMatch::Prefix(method) => {
            Some(UNSAFE_METHODS.contains(&method.as_str()))
        }
        StringMatch::Regex(pattern) => {
            Some(UNSAFE_METHODS.iter().any(|method| pattern.contains(method)))
        }
    }
}
