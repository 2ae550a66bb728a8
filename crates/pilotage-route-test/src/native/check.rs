//! What a test expects against what becomes of its request.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderName;
use pilotage_engine::faults;
use pilotage_engine::headers::Headers;
use pilotage_engine::route::{ForwardAction, RouteAction};

use super::expect::{Fault, Fields, Limit, Retries, Status};
use super::outcome::{Answer, Outcome, Sent};
use super::shares::{Shares, listed, rounded, short};
use crate::report::Mismatch;
use crate::rules;
use crate::words::limit as limit_text;

/// How `outcome` differs from what is expected.
pub(super) fn mismatches(wanted: &Fields, outcome: &Outcome) -> Vec<Mismatch> {
    let mut check = Check { outcome, found: Vec::new() };
    check.to(wanted.to.as_ref());
    check.upstream("path", wanted.path.as_deref(), |sent| sent.path.clone());
    check.upstream("host", wanted.host.as_deref(), |sent| sent.host.clone());
    for (name, value) in &wanted.request_headers {
        check.request_header(name, value.as_deref());
    }
    for (name, value) in &wanted.response_headers {
        check.response_header(name, value.as_deref());
    }
    check.timeout(wanted.timeout);
    check.retries(wanted.retries.as_ref());
    check.fault(wanted.fault.as_ref());
    check.mirror(wanted.mirror.as_ref());
    check.answer("redirect", wanted.redirect.as_deref(), |answer| answer.location.clone());
    let status = wanted
        .status
        .map(|Status(status)| status.map_or_else(|| "none".to_owned(), |s| s.to_string()));
    check.answer("status", status.as_deref(), |answer| Some(answer.status.to_string()));
    check.answer("body", wanted.body.as_deref(), |answer| Some(answer.body.clone()));
    check.answer("flags", wanted.flags.as_deref(), |answer| Some(answer.flags.clone()));
    check.rule(wanted.rule.as_deref());
    check.found
}

struct Check<'o> {
    outcome: &'o Outcome,
    found: Vec<Mismatch>,
}

impl<'o> Check<'o> {
    fn unless(&mut self, holds: bool, what: &str, expected: impl ToString, got: impl ToString) {
        if !holds {
            self.found.push(Mismatch {
                what: what.to_owned(),
                expected: expected.to_string(),
                got: got.to_string(),
            });
        }
    }

    /// Branches that reach an upstream.
    fn sent(&self) -> impl Iterator<Item = (&'o str, &'o Sent)> + use<'o> {
        let branches = self.outcome.branches.iter();
        branches.filter_map(|branch| Some((branch.cluster.as_str(), branch.result.as_ref().ok()?)))
    }

    fn action(&self) -> Option<&'o ForwardAction> {
        match &self.outcome.route.as_ref()?.action {
            RouteAction::Forward(action) => Some(action),
            RouteAction::Redirect(_) | RouteAction::DirectResponse(_) => None,
        }
    }

    /// What happens instead of going anywhere.
    fn instead(&self) -> String {
        if let Some(nothing) = &self.outcome.nothing {
            return format!("none: {nothing}");
        }
        match &self.outcome.answer {
            Some(answer) => format!("none: {}", told(answer)),
            None => "none".to_owned(),
        }
    }

    fn to(&mut self, wanted: Option<&Shares>) {
        let Some(wanted) = wanted else { return };
        let branches = &self.outcome.branches;
        let reached: Vec<(String, f64)> = branches
            .iter()
            .filter(|branch| branch.result.is_ok())
            .map(|branch| (branch.cluster.clone(), branch.percent))
            .collect();
        // What goes to a cluster that does not exist goes nowhere.
        let nowhere = reached.is_empty() && wanted.0.is_empty();
        if nowhere || wanted.fit(&reached) && branches.len() == reached.len() {
            return;
        }
        let shown: Vec<(String, f64)> = branches
            .iter()
            .map(|branch| {
                let name = short(&branch.cluster);
                let name = match &branch.result {
                    Ok(_) => name,
                    Err(answer) => format!("{name} ({})", told(answer)),
                };
                (name, branch.percent)
            })
            .collect();
        let got = if shown.is_empty() { self.instead() } else { listed(&shown) };
        self.unless(false, "to", wanted, got);
    }

    /// Compares what all upstreams see.
    fn upstream(&mut self, what: &str, wanted: Option<&str>, see: impl Fn(&Sent) -> String) {
        let Some(wanted) = wanted else { return };
        let seen: BTreeSet<String> = self.sent().map(|(_, sent)| see(sent)).collect();
        let holds = seen.len() == 1 && seen.contains(wanted);
        let got = if seen.is_empty() {
            self.instead()
        } else {
            seen.into_iter().collect::<Vec<_>>().join(", or ")
        };
        self.unless(holds, what, wanted, got);
    }

    fn request_header(&mut self, name: &str, wanted: Option<&str>) {
        let what = format!("requestHeaders {name}");
        let seen: Vec<(String, Option<String>)> = self
            .sent()
            .map(|(cluster, sent)| (short(cluster), value(&sent.request_headers, name)))
            .collect();
        self.header(&what, wanted, &seen);
    }

    fn response_header(&mut self, name: &str, wanted: Option<&str>) {
        let what = format!("responseHeaders {name}");
        let mut seen: Vec<(String, Option<String>)> = self
            .outcome
            .branches
            .iter()
            .map(|branch| {
                let headers = match &branch.result {
                    Ok(sent) => &sent.response_headers,
                    Err(answer) => &answer.headers,
                };
                (short(&branch.cluster), value(headers, name))
            })
            .collect();
        if let (true, Some(answer)) = (seen.is_empty(), &self.outcome.answer) {
            seen.push(("the proxy".to_owned(), value(&answer.headers, name)));
        }
        self.header(&what, wanted, &seen);
    }

    /// Compares a header of each destination.
    fn header(&mut self, what: &str, wanted: Option<&str>, seen: &[(String, Option<String>)]) {
        let holds = !seen.is_empty() && seen.iter().all(|(_, got)| got.as_deref() == wanted);
        let shown = |value: Option<&str>| match value {
            Some(value) => value.to_owned(),
            None => "no such header".to_owned(),
        };
        let same = seen.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
        let got = match seen {
            [] => self.instead(),
            [(_, only), ..] if same => shown(only.as_deref()),
            all => {
                let each = all.iter().map(|(of, got)| format!("{} ({of})", shown(got.as_deref())));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        self.unless(holds, what, shown(wanted), got);
    }

    fn timeout(&mut self, wanted: Option<Limit>) {
        let Some(wanted) = wanted else { return };
        let mut seen: BTreeSet<Option<Duration>> =
            self.sent().map(|(_, sent)| sent.timeout).collect();
        if let (true, Some(action)) = (seen.is_empty(), self.action()) {
            seen.insert(action.timeout);
        }
        let wanted = wanted.0.map(|limit| Duration::from_nanos(limit.as_nanos().unsigned_abs()));
        let got = match seen.first() {
            Some(limit) => limit_text(*limit),
            None => self.instead(),
        };
        let holds = seen.len() == 1 && seen.contains(&wanted.filter(|limit| !limit.is_zero()));
        self.unless(holds, "timeout", limit_text(wanted), got);
    }

    fn retries(&mut self, wanted: Option<&Retries>) {
        let Some(Retries(wanted)) = wanted else { return };
        let Some(action) = self.action() else {
            return self.unless(false, "retries", wanted.attempts, self.instead());
        };
        let policy = action.retries.as_deref();
        let attempts = policy.map_or(0, |policy| policy.max_retries);
        self.unless(attempts == wanted.attempts, "retries", wanted.attempts, attempts);
        if let Some(Limit(limit)) = wanted.per_try_timeout {
            let limit = limit.map(|limit| Duration::from_nanos(limit.as_nanos().unsigned_abs()));
            let got = policy.and_then(|policy| policy.per_try_timeout);
            let (expected, shown) = (limit_text(limit), limit_text(got));
            self.unless(limit == got, "perTryTimeout", expected, shown);
        }
        if let Some(conditions) = &wanted.retry_on {
            let expected: BTreeSet<&str> =
                conditions.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
            let mut got: BTreeSet<String> = policy
                .map(|policy| policy.conditions.names().map(str::to_owned).collect())
                .unwrap_or_default();
            // Statuses are conditions for people.
            if let Some(policy) = policy.filter(|policy| !policy.status_codes.is_empty()) {
                got.remove("retriable-status-codes");
                got.extend(policy.status_codes.iter().map(ToString::to_string));
            }
            let holds = expected.iter().copied().eq(got.iter().map(String::as_str));
            let list = |words: Vec<&str>| words.join(",");
            let shown = list(got.iter().map(String::as_str).collect());
            self.unless(holds, "retryOn", list(expected.into_iter().collect()), shown);
        }
    }

    fn fault(&mut self, wanted: Option<&Fault>) {
        let Some(Fault(wanted)) = wanted else { return };
        let fault = self.outcome.route.as_ref().and_then(|route| route.fault.clone());
        let percent = |millionths: u32| rounded(f64::from(millionths) / 10_000.0);
        let abort = fault.as_deref().and_then(faults::Fault::abort);
        let got = abort.map_or_else(
            || "none".to_owned(),
            |(abort, share)| {
                let status = match abort.grpc_status {
                    Some(status) => format!("gRPC {status}"),
                    None => abort.status.as_u16().to_string(),
                };
                format!("{status} for {}%", percent(share.millionths()))
            },
        );
        let all = |share: Option<pilotage_config::Double>| {
            rounded(share.map_or(100.0, pilotage_config::Double::get))
        };
        let expected = wanted.abort.as_ref().map_or_else(
            || "none".to_owned(),
            |abort| {
                let status = match (abort.grpc_status, abort.status) {
                    (Some(status), _) => format!("gRPC {status}"),
                    (None, Some(status)) => status.to_string(),
                    (None, None) => "a status".to_owned(),
                };
                format!("{status} for {}%", all(abort.percent))
            },
        );
        self.unless(expected == got, "abort", &expected, &got);
        let delay = fault.as_deref().and_then(faults::Fault::delay);
        let got = delay.map_or_else(
            || "none".to_owned(),
            |(time, share)| {
                format!("{} for {}%", limit_text(Some(time)), percent(share.millionths()))
            },
        );
        let expected = wanted.delay.as_ref().map_or_else(
            || "none".to_owned(),
            |delay| {
                let time = delay.time.unwrap_or(pilotage_config::Duration::ZERO);
                let time = Duration::from_nanos(time.as_nanos().unsigned_abs());
                format!("{} for {}%", limit_text(Some(time)), all(delay.percent))
            },
        );
        self.unless(expected == got, "delay", &expected, &got);
    }

    fn mirror(&mut self, wanted: Option<&Shares>) {
        let Some(wanted) = wanted else { return };
        let mirrors = self.action().map_or(&[][..], |action| &action.mirrors);
        let percent = |millionths: u32| f64::from(millionths) / 10_000.0;
        let got: Vec<(String, f64)> = mirrors
            .iter()
            .map(|mirror| (mirror.cluster.to_string(), percent(mirror.fraction.millionths())))
            .collect();
        let shown: Vec<(String, f64)> =
            got.iter().map(|(name, percent)| (short(name), *percent)).collect();
        self.unless(wanted.fit(&got), "mirror", wanted, listed(&shown));
    }

    /// Compares a part of the proxy's own answer.
    fn answer(
        &mut self,
        what: &str,
        wanted: Option<&str>,
        see: impl Fn(&Answer) -> Option<String>,
    ) {
        let Some(wanted) = wanted else { return };
        let answers: Vec<&Answer> = match &self.outcome.answer {
            Some(answer) => vec![answer],
            None => self.outcome.branches.iter().filter_map(|b| b.result.as_ref().err()).collect(),
        };
        let all = answers.len() >= self.outcome.branches.len();
        let seen: Vec<Option<String>> = answers.into_iter().map(see).collect();
        let holds =
            all && !seen.is_empty() && seen.iter().all(|got| got.as_deref() == Some(wanted));
        let got = match (seen.first(), &self.outcome.nothing) {
            (Some(got), _) if all => got.clone().unwrap_or_else(|| "none".to_owned()),
            (_, Some(nothing)) => format!("none: {nothing}"),
            _ => format!("none: it goes to {}", self.destinations()),
        };
        // No answer of the proxy has none of this either.
        let holds = holds || (matches!(wanted, "none" | "-") && got.starts_with("none"));
        self.unless(holds, what, wanted, got);
    }

    fn destinations(&self) -> String {
        let all: Vec<(String, f64)> = self
            .outcome
            .branches
            .iter()
            .map(|branch| (short(&branch.cluster), branch.percent))
            .collect();
        listed(&all)
    }

    fn rule(&mut self, wanted: Option<&str>) {
        let Some(wanted) = wanted else { return };
        let names = self.outcome.route.as_deref().map(rules::names).unwrap_or_default();
        let holds = match wanted {
            "none" | "-" => names.is_empty(),
            wanted => names.iter().any(|name| name == wanted),
        };
        let got = names.last().cloned().unwrap_or_else(|| "none".to_owned());
        self.unless(holds, "rule", wanted, got);
    }
}

/// An answer of the proxy in a few words.
fn told(answer: &Answer) -> String {
    let flags = if answer.flags.is_empty() { String::new() } else { format!(" {}", answer.flags) };
    match &answer.location {
        Some(location) => format!("redirect {} to {location}", answer.status),
        None => format!("{}{flags}, {}", answer.status, answer.details.replace('_', " ")),
    }
}

/// All values of a header, joined by commas.
fn value(headers: &Headers, name: &str) -> Option<String> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let values: Vec<_> =
        headers.get_all(&name).map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}
