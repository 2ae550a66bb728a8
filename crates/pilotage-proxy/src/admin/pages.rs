//! The pages of the admin endpoint, under Envoy's paths.

use std::sync::PoisonError;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::Full;
use serde_json::json;

use super::{AdminState, Phase, clusters};
use crate::lines::line;

const TEXT: &str = "text/plain; charset=UTF-8";
const JSON: &str = "application/json";
/// The Prometheus text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Paths and what is there, as `/help` lists them.
const PAGES: &[(&str, &str)] = &[
    ("/clusters", "upstream clusters and their endpoints (?format=json)"),
    ("/config_dump", "the resources that apply, as protobuf-JSON"),
    ("/explain", "POST a request as JSON to hear what would become of it"),
    ("/help", "this list"),
    ("/listeners", "bound listeners (?format=json)"),
    ("/logging", "POST ?level=debug or ?paths=module:level changes the log level"),
    ("/ready", "200 once requests are served"),
    ("/server_info", "version and state"),
    ("/stats", "counters (?filter=text, ?format=prometheus)"),
    ("/stats/prometheus", "metrics for Prometheus"),
];

type Page = Response<Full<Bytes>>;

/// The admin port.
pub(super) fn admin(state: &AdminState, method: &Method, uri: &Uri) -> Page {
    let query = uri.query().unwrap_or_default();
    let as_json = parameter(query, "format") == Some("json");
    match uri.path() {
        "/" | "/help" => page(StatusCode::OK, TEXT, help()),
        "/clusters" if as_json => json_page(&clusters::json(state)),
        "/clusters" => page(StatusCode::OK, TEXT, clusters::text(state)),
        "/config_dump" => match &state.config_dump {
            Some(dump) => json_page(&dump()),
            None => page(StatusCode::NOT_FOUND, TEXT, "no configuration is known here\n".into()),
        },
        "/explain" => {
            let text = "this takes a question: use POST, or `pilotage explain --live`\n".into();
            page(StatusCode::METHOD_NOT_ALLOWED, TEXT, text)
        }
        "/listeners" => listeners(state, as_json),
        "/logging" => logging(state, method, query),
        "/ready" => ready(state),
        "/server_info" => server_info(state),
        "/stats" if parameter(query, "format") == Some("prometheus") => prometheus(state),
        "/stats" => stats(state, query),
        "/stats/prometheus" => prometheus(state),
        other => {
            let text = format!("there is no {other}; there are\n{}", help());
            page(StatusCode::NOT_FOUND, TEXT, text)
        }
    }
}

/// What would become of the request that `body` describes.
pub(super) fn explain(state: &AdminState, body: Option<Bytes>) -> Page {
    let refuse = |status, why: &str| page(status, TEXT, format!("explain: {why}\n"));
    let Some(explain) = &state.explain else {
        return refuse(StatusCode::NOT_FOUND, "no configuration is known here");
    };
    let Some(body) = body else {
        return refuse(StatusCode::BAD_REQUEST, "the question is too long, or did not arrive");
    };
    match explain(&body, state.state.started.elapsed()) {
        Ok(answer) => json_page(&answer),
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

/// The metrics port.
pub(super) fn metrics(state: &AdminState, uri: &Uri) -> Page {
    match uri.path() {
        "/stats/prometheus" | "/metrics" => prometheus(state),
        _ => page(StatusCode::NOT_FOUND, TEXT, "metrics are at /stats/prometheus\n".into()),
    }
}

/// The readiness port.
pub(super) fn readiness(state: &AdminState, uri: &Uri) -> Page {
    match uri.path() {
        "/healthz/ready" | "/ready" => ready(state),
        _ => page(StatusCode::NOT_FOUND, TEXT, "readiness is at /healthz/ready\n".into()),
    }
}

fn ready(state: &AdminState) -> Page {
    let phase = state.state.phase();
    let status = match phase {
        Phase::Live => StatusCode::OK,
        Phase::Initializing | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    page(status, TEXT, format!("{}\n", phase_name(phase)))
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Initializing => "INITIALIZING",
        Phase::Live => "LIVE",
        Phase::Draining => "DRAINING",
    }
}

fn server_info(state: &AdminState) -> Page {
    let uptime = state.state.started.elapsed().as_secs();
    json_page(&json!({
        "version": concat!("pilotage/", env!("CARGO_PKG_VERSION")),
        "state": phase_name(state.state.phase()),
        "uptime_current_epoch": format!("{uptime}s"),
        "uptime_all_epochs": format!("{uptime}s"),
    }))
}

fn stats(state: &AdminState, query: &str) -> Page {
    let all = state.registry.stats(&state.tables.load());
    let wanted = parameter(query, "filter").unwrap_or_default();
    let mut text = String::new();
    for line in all.lines().filter(|line| line.contains(wanted)) {
        text.push_str(line);
        text.push('\n');
    }
    page(StatusCode::OK, TEXT, text)
}

fn prometheus(state: &AdminState) -> Page {
    let now = state.state.started.elapsed();
    page(StatusCode::OK, EXPOSITION, state.registry.prometheus(&state.tables.load(), now))
}

fn listeners(state: &AdminState, as_json: bool) -> Page {
    let listeners = state.listeners.lock().unwrap_or_else(PoisonError::into_inner);
    if as_json {
        let statuses: Vec<_> = listeners
            .values()
            .map(|listener| {
                let (ip, port) = (listener.bound.ip().to_string(), listener.bound.port());
                json!({
                    "name": &*listener.name,
                    "local_address": {"socket_address": {"address": ip, "port_value": port}},
                })
            })
            .collect();
        return json_page(&json!({"listener_statuses": statuses}));
    }
    let mut text = String::new();
    for listener in listeners.values() {
        line(&mut text, format_args!("{}::{}", listener.name, listener.bound));
    }
    page(StatusCode::OK, TEXT, text)
}

fn logging(state: &AdminState, method: &Method, query: &str) -> Page {
    let Some(set) = &state.set_log_filter else {
        let text = "the log level cannot be changed here\n".into();
        return page(StatusCode::NOT_FOUND, TEXT, text);
    };
    let level = parameter(query, "level").map(str::to_owned);
    let paths = parameter(query, "paths").map(|paths| paths.replace(':', "="));
    let Some(directives) = level.or(paths) else {
        let text = "usage: POST /logging?level=debug or /logging?paths=module:level\n".into();
        return page(StatusCode::OK, TEXT, text);
    };
    if *method != Method::POST {
        let text = "this changes something: use POST\n".into();
        return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    }
    match set(&directives) {
        Ok(()) => page(StatusCode::OK, TEXT, format!("log level: {directives}\n")),
        Err(error) => page(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
    }
}

fn help() -> String {
    let mut text = String::new();
    for (path, what) in PAGES {
        line(&mut text, format_args!("  {path:<18} {what}"));
    }
    text
}

/// The value of `name` in a query; without percent-decoding, which none of our parameters needs.
fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn json_page(value: &serde_json::Value) -> Page {
    page(StatusCode::OK, JSON, format!("{value:#}\n"))
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Page {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
