//! When and how often a request is tried again.

use std::cell::RefCell;

use pilotage_proto::envoy::config::route::v3::RetryPolicy;

use super::Statement;
use super::route::duration_text;

/// What was told of retries last: most routes have the same policy, and it is long.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetriesTold {
    last: RefCell<Option<(RetryPolicy, Statement)>>,
}

impl RetriesTold {
    /// What `policy` says; `inherited`: not because the route wants it.
    pub(super) fn statement(&self, policy: Option<&RetryPolicy>, inherited: bool) -> Statement {
        let Some(policy) = policy else {
            return Statement { key: "".into(), text: NO_RETRIES.into(), usual: inherited };
        };
        match &mut *self.last.borrow_mut() {
            Some((known, statement)) if known == policy => statement.clone(),
            last => last.insert((policy.clone(), statement(policy))).1.clone(),
        }
    }
}

const NO_RETRIES: &str = "no retries";

fn statement(policy: &RetryPolicy) -> Statement {
    let count = policy.num_retries.unwrap_or(1);
    if count == 0 || policy.retry_on.is_empty() {
        return Statement { key: "".into(), text: NO_RETRIES.into(), usual: true };
    }
    let mut text = match count {
        1 => "1 retry".to_owned(),
        count => format!("{count} retries"),
    };
    text.push_str(&format!(" on {}", policy.retry_on.replace(',', ", ")));
    let codes: Vec<String> =
        policy.retriable_status_codes.iter().map(ToString::to_string).collect();
    if !codes.is_empty() {
        text.push_str(&format!(" {}", codes.join(", ")));
    }
    if let Some(limit) = &policy.per_try_timeout {
        text.push_str(&format!(", each try within {}", duration_text(limit)));
    }
    // The default of Istio need not be told beside a new destination.
    Statement { key: format!("{policy:?}").into(), text: text.into(), usual: true }
}
