//! The outcome of one route, with what it inherits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pilotage_engine::route_match::RouteMatch;
use pilotage_proto::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, SchemeRewriteSpecifier,
};
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::{
    HostRewriteSpecifier, RequestMirrorPolicy,
};
use pilotage_proto::envoy::config::route::v3::{
    DirectResponseAction, RedirectAction, Route, RouteAction, RouteConfiguration, VirtualHost,
};
use pilotage_proto::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use pilotage_proto::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::HttpFault;
use pilotage_proto::envoy::extensions::filters::http::fault::v3::fault_abort::ErrorType;
use pilotage_proto::envoy::r#type::v3::FractionalPercent;
use pilotage_proto::envoy::r#type::v3::fractional_percent::DenominatorType;
use pilotage_proto::prost_types::Duration;
use pilotage_proto::{Any, unpack};

use super::destinations::{Destinations, label};
use super::{Facet, Origin, Outcome, RetriesTold, Rewrite, Statement, headers};
use crate::place::Place;

/// The levels that a route inherits from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<'a> {
    table: &'a RouteConfiguration,
    host: &'a VirtualHost,
    retries: &'a RetriesTold,
}

impl<'a> Levels<'a> {
    /// What the routes of `host` at `place` inherit.
    pub(crate) fn of(place: &'a Place, host: &'a VirtualHost) -> Self {
        Self { table: &place.routes, host, retries: &place.retries }
    }
}

/// What happens to requests that no route takes, or no virtual host.
pub(crate) fn no_route(why: &str) -> Outcome {
    let text = format!("404, {why}");
    let statement = Statement { key: text.clone().into(), text: text.into(), usual: false };
    Outcome {
        statements: vec![(Facet::Destination, statement)],
        rewrite: None,
        clusters: Vec::new(),
        forwards: false,
        origin: None,
    }
}

/// What `route` does, whose match is `matcher`.
pub(crate) fn of_route(levels: Levels<'_>, route: &Route, matcher: &RouteMatch) -> Outcome {
    let mut outcome = Outcome {
        statements: Vec::new(),
        rewrite: None,
        clusters: Vec::new(),
        forwards: false,
        origin: Origin::of_route(route),
    };
    let mut operations = Default::default();
    match &route.action {
        Some(Action::Route(action)) => {
            forward(&mut outcome, levels, action, matcher, &mut operations)
        }
        Some(Action::Redirect(redirect)) => {
            if let Some(PathRewriteSpecifier::PrefixRewrite(prefix)) =
                redirect.path_rewrite_specifier.as_ref()
            {
                outcome.rewrite = Some(Rewrite::of(prefix, matcher));
            }
            outcome.say(Facet::Destination, format!("{redirect:?}"), redirect_text(redirect));
        }
        Some(Action::DirectResponse(answer)) => {
            let text = answer_text(answer);
            outcome.say(Facet::Destination, format!("{answer:?}"), text);
        }
        None => {}
    }
    header_operations(&mut outcome, levels, route, operations);
    filters(&mut outcome, levels, route);
    // Only what tells its name makes a route's name a difference.
    let tells_name = outcome.statements.iter().any(|(_, s)| s.key.contains("%ROUTE_NAME%"));
    if tells_name {
        outcome.say(Facet::Other, route.name.clone(), format!("is called {}", route.name));
    }
    outcome.statements.sort_by_key(|(facet, _)| *facet);
    outcome
}

impl Outcome {
    /// The same with another answer.
    pub(crate) fn answering(mut self, text: &str) -> Self {
        self.statements.clear();
        self.say(Facet::Destination, text.to_owned(), text.to_owned());
        self
    }

    fn say(&mut self, facet: Facet, key: String, text: String) {
        self.mention(facet, key, text, false);
    }

    /// Says it, as something that needs not be mentioned when it is `usual`.
    fn mention(
        &mut self,
        facet: Facet,
        key: String,
        text: impl Into<Cow<'static, str>>,
        usual: bool,
    ) {
        let statement = Statement { key: key.into(), text: text.into(), usual };
        self.statements.push((facet, statement));
    }

    /// Says that nothing of the kind is done, as usual.
    fn abstain(&mut self, facet: Facet, text: &'static str) {
        self.mention(facet, String::new(), text, true);
    }
}

fn forward(
    outcome: &mut Outcome,
    levels: Levels<'_>,
    action: &RouteAction,
    matcher: &RouteMatch,
    operations: &mut (String, Vec<String>),
) {
    outcome.forwards = true;
    let host = &levels.host.name;
    let destinations = Destinations::of(action, host);
    outcome.say(Facet::Destination, destinations.key, destinations.text);
    outcome.clusters = destinations.clusters;
    *operations = (destinations.operated, destinations.operations);
    rewrite(outcome, action, matcher);
    timeouts(outcome, action);
    let policy = action.retry_policy.as_ref().or(levels.host.retry_policy.as_ref());
    let inherited = action.retry_policy.is_none();
    outcome.statements.push((Facet::Retries, levels.retries.statement(policy, inherited)));
    let mirrors = match action.request_mirror_policies.as_slice() {
        [] => levels.host.request_mirror_policies.as_slice(),
        own => own,
    };
    outcome.clusters.extend(mirrors.iter().map(|mirror| mirror.cluster.clone()));
    if mirrors.is_empty() {
        outcome.abstain(Facet::Mirror, "no copies");
    } else {
        let key = mirrors.iter().map(mirror_key).collect::<Vec<_>>().join(", ");
        let text = mirrors.iter().map(|mirror| mirror_text(mirror, host)).collect::<Vec<_>>();
        outcome.say(Facet::Mirror, key, text.join(", "));
    }
    match action.hash_policy.as_slice() {
        [] => outcome.abstain(Facet::Hash, "no hash"),
        some => outcome.say(Facet::Hash, format!("{some:?}"), format!("hash of {some:?}")),
    }
    rest(outcome, action);
}

/// What nothing else is told of.
fn rest(outcome: &mut Outcome, action: &RouteAction) {
    let RouteAction {
        cluster_not_found_response_code,
        priority,
        upgrade_configs,
        // Told for themselves.
        cluster_specifier: _,
        prefix_rewrite: _,
        regex_rewrite: _,
        host_rewrite_specifier: _,
        append_x_forwarded_host: _,
        timeout: _,
        idle_timeout: _,
        max_grpc_timeout: _,
        grpc_timeout_offset: _,
        max_stream_duration: _,
        retry_policy: _,
        request_mirror_policies: _,
        hash_policy: _,
        // Not obeyed by routes of Istio, which have nothing of the kind.
        metadata_match: _,
        hedge_policy: _,
        include_vh_rate_limits: _,
    } = action;
    let is_plain = *cluster_not_found_response_code == 0 && *priority == 0;
    if is_plain && upgrade_configs.is_empty() {
        return outcome.abstain(Facet::Other, "nothing else");
    }
    let [status, priority] =
        [action.cluster_not_found_response_code().as_str_name(), action.priority().as_str_name()];
    let text = format!("priority {priority}, without the cluster {status}, {upgrade_configs:?}");
    outcome.say(Facet::Other, text.clone(), text);
}

fn rewrite(outcome: &mut Outcome, action: &RouteAction, matcher: &RouteMatch) {
    let (mut key, mut text) = (Vec::new(), Vec::new());
    if !action.prefix_rewrite.is_empty() {
        let to = &action.prefix_rewrite;
        // What is replaced is compared for itself, as it depends on the match.
        key.push("path".to_owned());
        outcome.rewrite = Some(Rewrite::of(to, matcher));
        let (kind, from) = match matcher.path() {
            pilotage_engine::route_match::PathMatch::Prefix { prefix, .. }
            | pilotage_engine::route_match::PathMatch::SeparatedPrefix { prefix, .. } => {
                ("prefix ", &**prefix)
            }
            _ => ("whole path", ""),
        };
        text.push(format!("rewrites {kind}{from} to {to}"));
    }
    if let Some(regex) = &action.regex_rewrite {
        let pattern = regex.pattern.as_ref().map_or("", |pattern| &pattern.regex);
        key.push(format!("{pattern:?} to {:?}", regex.substitution));
        text.push(format!("rewrites {pattern} in the path to {}", regex.substitution));
    }
    if let Some(host) = &action.host_rewrite_specifier {
        key.push(format!("{host:?}"));
        text.push(match host {
            HostRewriteSpecifier::HostRewriteLiteral(host) => {
                format!("rewrites the host to {host}")
            }
            other => format!("rewrites the host: {other:?}"),
        });
    }
    if action.append_x_forwarded_host {
        key.push("x-forwarded-host".to_owned());
        text.push("tells the original host".to_owned());
    }
    match key.is_empty() {
        true => outcome.abstain(Facet::Rewrite, "no rewrite"),
        false => outcome.say(Facet::Rewrite, key.join(", "), text.join(", ")),
    }
}

fn timeouts(outcome: &mut Outcome, action: &RouteAction) {
    let shown = [&action.timeout, &action.max_grpc_timeout, &action.idle_timeout]
        .map(|limit| limit.as_ref().map(duration_text));
    let key =
        format!("{shown:?} {:?} {:?}", action.grpc_timeout_offset, action.max_stream_duration);
    let [timeout, grpc, idle] = shown;
    let mut text = match timeout.as_deref() {
        None => "timeout 15 s".to_owned(),
        Some("0 s") => "no timeout".to_owned(),
        Some(limit) => format!("timeout {limit}"),
    };
    if grpc.is_some() && grpc != timeout {
        text.push_str(&format!(", of gRPC at most {}", grpc.unwrap_or_default()));
    }
    if let Some(idle) = idle {
        text.push_str(&format!(", idle at most {idle}"));
    }
    if let Some(limits) = &action.max_stream_duration {
        let limit = limits.max_stream_duration.as_ref().map(duration_text);
        text.push_str(&format!(", life of the stream at most {}", limit.unwrap_or_default()));
    }
    let usual = text == "no timeout";
    outcome.mention(Facet::Timeout, key, text, usual);
}

fn mirror_key(mirror: &RequestMirrorPolicy) -> String {
    let share = mirror.runtime_fraction.as_ref().and_then(|f| f.default_value.as_ref());
    let share = share.map_or("100 %".to_owned(), share_text);
    format!("{} {share} {}", mirror.cluster, mirror.disable_shadow_host_suffix_append)
}

fn mirror_text(mirror: &RequestMirrorPolicy, host: &str) -> String {
    let share = mirror.runtime_fraction.as_ref().and_then(|f| f.default_value.as_ref());
    let share = share.map_or("100 %".to_owned(), share_text);
    format!("copies {share} to {}", label(&mirror.cluster, host))
}

fn header_operations(
    outcome: &mut Outcome,
    levels: Levels<'_>,
    route: &Route,
    (operated, operations): (String, Vec<String>),
) {
    let (table, host) = (levels.table, levels.host);
    let mut keys = vec![operated];
    let mut texts = operations;
    for (level, (key, text)) in [
        (
            "route",
            headers::operations(
                &route.request_headers_to_add,
                &route.request_headers_to_remove,
                &route.response_headers_to_add,
                &route.response_headers_to_remove,
            ),
        ),
        (
            "host",
            headers::operations(
                &host.request_headers_to_add,
                &host.request_headers_to_remove,
                &host.response_headers_to_add,
                &host.response_headers_to_remove,
            ),
        ),
        (
            "table",
            headers::operations(
                &table.request_headers_to_add,
                &table.request_headers_to_remove,
                &table.response_headers_to_add,
                &table.response_headers_to_remove,
            ),
        ),
    ] {
        if !key.is_empty() {
            keys.push(format!("{level}: {key}"));
            texts.push(text);
        }
    }
    let counts = (host.include_request_attempt_count, host.include_attempt_count_in_response);
    keys.push(format!("{counts:?} {}", table.most_specific_header_mutations_wins));
    match texts.is_empty() {
        true => outcome.mention(Facet::Headers, keys.join("; "), "no header operations", true),
        false => outcome.say(Facet::Headers, keys.join("; "), texts.join(", ")),
    }
}

const FAULT: &str = "envoy.filters.http.fault";
const CORS: &str = "envoy.filters.http.cors";

fn filters(outcome: &mut Outcome, levels: Levels<'_>, route: &Route) {
    let mut all: BTreeMap<&str, &Any> = BTreeMap::new();
    let levels = [
        &levels.table.typed_per_filter_config,
        &levels.host.typed_per_filter_config,
        &route.typed_per_filter_config,
    ];
    for (name, config) in levels.into_iter().flatten() {
        all.insert(name, config);
    }
    let fault = all.get(FAULT).and_then(|any| unpack::<HttpFault>(any).ok());
    match &fault {
        Some(fault) => outcome.say(Facet::Fault, format!("{fault:?}"), fault_text(fault)),
        None => outcome.abstain(Facet::Fault, "no fault"),
    }
    if !outcome.forwards {
        return;
    }
    let cors = all.get(CORS).and_then(|any| unpack::<CorsPolicy>(any).ok());
    match &cors {
        Some(cors) => outcome.say(Facet::Cors, format!("{cors:?}"), cors_text(cors)),
        None => outcome.abstain(Facet::Cors, "no CORS policy"),
    }
}

fn fault_text(fault: &HttpFault) -> String {
    let mut parts = Vec::new();
    if let Some(delay) = &fault.delay {
        let share = delay.percentage.as_ref().map_or("0 %".to_owned(), share_text);
        if let Some(FaultDelaySecifier::FixedDelay(time)) = &delay.fault_delay_secifier {
            parts.push(format!("{share} delayed by {}", duration_text(time)));
        }
    }
    if let Some(abort) = &fault.abort {
        let share = abort.percentage.as_ref().map_or("0 %".to_owned(), share_text);
        let with = match &abort.error_type {
            Some(ErrorType::HttpStatus(status)) => format!("{status}"),
            Some(ErrorType::GrpcStatus(status)) => format!("gRPC status {status}"),
            other => format!("{other:?}"),
        };
        parts.push(format!("{share} aborted with {with}"));
    }
    parts.join(", ")
}

fn cors_text(cors: &CorsPolicy) -> String {
    let mut parts = vec![format!("{} origins", cors.allow_origin_string_match.len())];
    for (name, value) in [
        ("methods", &cors.allow_methods),
        ("headers", &cors.allow_headers),
        ("exposes", &cors.expose_headers),
        ("max age", &cors.max_age),
    ] {
        if !value.is_empty() {
            parts.push(format!("{name} {value}"));
        }
    }
    format!("CORS policy: {}", parts.join(", "))
}

fn redirect_text(redirect: &RedirectAction) -> String {
    use pilotage_proto::envoy::config::route::v3::redirect_action::RedirectResponseCode as Code;
    let status = match redirect.response_code() {
        Code::MovedPermanently => 301,
        Code::Found => 302,
        Code::SeeOther => 303,
        Code::TemporaryRedirect => 307,
        Code::PermanentRedirect => 308,
    };
    let scheme = match &redirect.scheme_rewrite_specifier {
        Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => "https://",
        Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => &format!("{scheme}://"),
        _ => "",
    };
    let host = match (&*redirect.host_redirect, scheme) {
        ("", "") => "",
        ("", _) => "the same host",
        (host, _) => host,
    };
    let port = match redirect.port_redirect {
        0 => String::new(),
        port => format!(":{port}"),
    };
    let path = match &redirect.path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(path)) => path.clone(),
        Some(PathRewriteSpecifier::PrefixRewrite(prefix)) => format!(" with prefix {prefix}"),
        Some(PathRewriteSpecifier::RegexRewrite(regex)) => {
            format!(" rewritten to {}", regex.substitution)
        }
        None => String::new(),
    };
    format!("redirect {status} to {scheme}{host}{port}{path}").trim_end().to_owned()
}

fn answer_text(answer: &DirectResponseAction) -> String {
    use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
    let body = match answer.body.as_ref().and_then(|body| body.specifier.as_ref()) {
        Some(Specifier::InlineString(text)) => format!(" {text:?}"),
        Some(Specifier::InlineBytes(bytes)) => format!(" with {} bytes", bytes.len()),
        Some(other) => format!(" {other:?}"),
        None => String::new(),
    };
    format!("answer {}{body}", answer.status)
}

/// A duration with its unit.
pub(super) fn duration_text(duration: &Duration) -> String {
    let millis = duration.seconds.saturating_mul(1000) + i64::from(duration.nanos) / 1_000_000;
    let exact = duration.nanos % 1_000_000 == 0;
    match (exact, millis % 1000) {
        (true, 0) => format!("{} s", duration.seconds),
        (true, _) if millis < 1000 => format!("{millis} ms"),
        (true, part) => {
            let part = format!("{part:03}");
            format!("{}.{} s", duration.seconds, part.trim_end_matches('0'))
        }
        (false, _) => format!("{} s and {} ns", duration.seconds, duration.nanos),
    }
}

fn share_text(share: &FractionalPercent) -> String {
    let denominator: u32 = match share.denominator() {
        DenominatorType::Hundred => 100,
        DenominatorType::TenThousand => 10_000,
        DenominatorType::Million => 1_000_000,
    };
    let percent = f64::from(share.numerator) * 100.0 / f64::from(denominator);
    format!("{percent} %")
}
