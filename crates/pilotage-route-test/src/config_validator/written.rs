//! Parts of rules in a few words.

use pilotage_config::virtual_service::{
    Delegate, Destination, HeaderOperations, Headers, HttpFaultInjection, HttpRedirect,
    HttpRewrite, HttpRouteDestination, Percent,
};

use crate::words;

const NONE: &str = "none";

fn joined(parts: Vec<String>, with: &str) -> String {
    if parts.is_empty() { NONE.to_owned() } else { parts.join(with) }
}

pub(super) fn route(destinations: &[HttpRouteDestination]) -> String {
    let each = destinations.iter().map(|to| {
        let mut text = to.destination.as_ref().map_or_else(|| NONE.to_owned(), destination);
        if to.weight != 0 {
            text.push_str(&format!(" weight {}", to.weight));
        }
        if let Some(changes) = &to.headers {
            text.push_str(&format!(" with {}", headers(Some(changes))));
        }
        text
    });
    joined(each.collect(), ", ")
}

fn destination(destination: &Destination) -> String {
    let mut text = destination.host.clone();
    if let Some(port) = &destination.port {
        text.push_str(&format!(":{}", port.number));
    }
    if !destination.subset.is_empty() {
        text.push_str(&format!(" subset {}", destination.subset));
    }
    text
}

/// `name value`, where there is a value.
fn named(name: &str, value: &str) -> Option<String> {
    (!value.is_empty()).then(|| format!("{name} {value}"))
}

pub(super) fn redirect(redirect: Option<&HttpRedirect>) -> String {
    let Some(to) = redirect else { return NONE.to_owned() };
    let number = |value: u32| if value == 0 { String::new() } else { value.to_string() };
    let parts = [
        named("scheme", &to.scheme),
        named("authority", &to.authority),
        named("port", &number(to.port.unwrap_or(0))),
        to.derive_port.map(|port| format!("derivePort {}", port.as_str())),
        named("uri", &to.uri),
        named("prefixRewrite", &to.prefix_rewrite),
        named("redirectCode", &number(to.redirect_code)),
    ];
    joined(parts.into_iter().flatten().collect(), ", ")
}

pub(super) fn rewrite(rewrite: Option<&HttpRewrite>) -> String {
    let Some(to) = rewrite else { return NONE.to_owned() };
    let regex = to.uri_regex_rewrite.as_ref();
    let parts = [
        named("uri", &to.uri),
        named("authority", &to.authority),
        regex.map(|regex| format!("regex {} → {}", regex.match_, regex.rewrite)),
    ];
    joined(parts.into_iter().flatten().collect(), ", ")
}

pub(super) fn fault(fault: Option<&HttpFaultInjection>) -> String {
    let Some(fault) = fault else { return NONE.to_owned() };
    let share = |percent: Option<&Percent>, old: i32| match percent {
        Some(percent) => format!(" for {} %", percent.value.get()),
        None if old != 0 => format!(" for {old} %"),
        None => String::new(),
    };
    let mut parts = Vec::new();
    if let Some(abort) = &fault.abort {
        let status = abort.http_status.map(|status| status.to_string());
        let status = status.or_else(|| abort.grpc_status.clone());
        let status = status.or_else(|| abort.http2_error.clone()).unwrap_or_default();
        parts.push(format!("abort {status}{}", share(abort.percentage.as_ref(), 0)));
    }
    if let Some(delay) = &fault.delay {
        let time = delay.fixed_delay.or(delay.exponential_delay);
        let time = time.map(words::duration).unwrap_or_default();
        parts.push(format!("delay {time}{}", share(delay.percentage.as_ref(), delay.percent)));
    }
    joined(parts, ", ")
}

pub(super) fn headers(headers: Option<&Headers>) -> String {
    let Some(headers) = headers else { return NONE.to_owned() };
    let mut parts = Vec::new();
    for (side, operations) in
        [("request", headers.request.as_ref()), ("response", headers.response.as_ref())]
    {
        let Some(HeaderOperations { set, add, remove }) = operations else { continue };
        parts.extend(set.iter().map(|(name, value)| format!("{side} set {name}: {value}")));
        parts.extend(add.iter().map(|(name, value)| format!("{side} add {name}: {value}")));
        parts.extend(remove.iter().map(|name| format!("{side} remove {name}")));
    }
    joined(parts, ", ")
}

pub(super) fn delegate(delegate: Option<&Delegate>) -> String {
    let Some(to) = delegate else { return NONE.to_owned() };
    if to.namespace.is_empty() { to.name.clone() } else { format!("{}/{}", to.namespace, to.name) }
}
