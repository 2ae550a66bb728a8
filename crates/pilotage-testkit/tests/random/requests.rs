//! Random requests: most are made to hit a rule, and many of those miss it by a hair.

use fastrand::Rng;
use serde_json::Value;

use super::rules::{HEADERS, PARAMETERS, PATH_REGEXES, VALUE_REGEXES};

/// A request, without the host that its rules are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What follows the host name, such as a port.
    pub(crate) after_host: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_bytes: usize,
    /// What upstreams do, one word for each attempt.
    pub(crate) script: Vec<String>,
}

pub(crate) fn draw(random: &mut Rng, rules: &Value) -> Probe {
    let mut probe = Probe { method: "GET".to_owned(), path: "/".to_owned(), ..Probe::default() };
    let root = pick(random, &rules["root"]["http"]);
    aim(random, root, &mut probe);
    let mut rule = root;
    if root.get("delegate").is_some() {
        rule = pick(random, &rules["delegate"]["http"]);
        aim(random, rule, &mut probe);
    }
    if random.u32(..100) < 45 {
        miss(random, &mut probe);
    }
    dress(random, rule, &mut probe);
    if random.u32(..100) < if rule.get("retries").is_some() { 75 } else { 20 } {
        let text = rule.to_string();
        let waits = text.contains("\"timeout\"") || text.contains("perTryTimeout");
        probe.script = script(random, waits);
    }
    probe
}

fn pick<'v>(random: &mut Rng, list: &'v Value) -> &'v Value {
    &list[random.usize(..list.as_array().unwrap().len())]
}

/// Makes `probe` fulfil one of the conditions of `rule`.
fn aim(random: &mut Rng, rule: &Value, probe: &mut Probe) {
    let Some(matches) = rule.get("match") else { return };
    let condition = pick(random, matches);
    if let Some(uri) = condition.get("uri") {
        probe.path = fulfil(random, uri, &PATH_REGEXES, &["", "/", "/x", "x", "/x/y.z"]);
    }
    let values = &["", "x", "-more"];
    for (name, value) in condition["headers"].as_object().into_iter().flatten() {
        let value = fulfil(random, value, &VALUE_REGEXES, values);
        probe.headers.push((name.clone(), value));
    }
    for (name, value) in condition["queryParams"].as_object().into_iter().flatten() {
        let value = fulfil(random, value, &VALUE_REGEXES, values);
        let mark = if probe.path.contains('?') { '&' } else { '?' };
        probe.path.push_str(&format!("{mark}{name}={value}"));
    }
    if let Some(method) = condition["method"]["exact"].as_str() {
        probe.method = method.to_owned();
    }
}

/// A text that fulfils `condition`.
fn fulfil(random: &mut Rng, condition: &Value, regexes: &[(&str, &str)], after: &[&str]) -> String {
    if let Some(exact) = condition["exact"].as_str() {
        exact.to_owned()
    } else if let Some(prefix) = condition["prefix"].as_str() {
        format!("{prefix}{}", after[random.usize(..after.len())])
    } else if let Some(regex) = condition["regex"].as_str() {
        regexes
            .iter()
            .find(|(known, _)| *known == regex)
            .map_or("", |(_, sample)| sample)
            .to_owned()
    } else {
        "any".to_owned()
    }
}

/// Changes one thing.
fn miss(random: &mut Rng, probe: &mut Probe) {
    match random.u32(..12) {
        0 => probe.path = probe.path.to_uppercase(),
        1 => probe.path.push('/'),
        2 => probe.path = probe.path.replacen('/', "//", 1),
        3 => probe.path = probe.path.replacen('a', "%61", 1),
        4 => probe.path = format!("{}/../a", probe.path.split('?').next().unwrap_or("/")),
        5 => {
            let mark = if probe.path.contains('?') { '&' } else { '?' };
            let name = PARAMETERS[random.usize(..PARAMETERS.len())];
            probe.path.push_str(&format!(
                "{mark}{name}={}",
                ["one", "", "two%20", "ONE"][random.usize(..4)]
            ));
        }
        6 => drop(probe.headers.pop()),
        7 => {
            if let Some((_, value)) = probe.headers.last_mut() {
                value.push('x');
            }
        }
        8 => {
            let name = HEADERS[random.usize(..HEADERS.len())];
            let value = ["one", "two", "", "One", "42", "on"][random.usize(..6)];
            if !probe.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                probe.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        9 => {
            probe.method =
                ["POST", "HEAD", "OPTIONS", "DELETE", "PUT"][random.usize(..5)].to_owned()
        }
        10 => probe.after_host = [":80", ":8080", "."][random.usize(..3)].to_owned(),
        _ => probe.path.push_str(["b", "?", "?q", ";x", "%2F"][random.usize(..5)]),
    }
}

/// Adds what other parts of a rule look at.
fn dress(random: &mut Rng, rule: &Value, probe: &mut Probe) {
    let mut add = |name: &str, value: &str| probe.headers.push((name.to_owned(), value.to_owned()));
    if rule.get("corsPolicy").is_some() && random.u32(..100) < 70 {
        let origins = ["https://a.test", "https://b.test", "ftp://c"];
        add("origin", origins[random.usize(..3)]);
        if random.bool() {
            add("access-control-request-method", "GET");
            probe.method = "OPTIONS".to_owned();
        }
    }
    let mut add = |name: &str, value: &str| probe.headers.push((name.to_owned(), value.to_owned()));
    match random.u32(..60) {
        0 => add("x-envoy-max-retries", "1"),
        1 => add("x-envoy-retry-on", "5xx"),
        2 => add("x-envoy-retry-grpc-on", "unavailable"),
        3 => add("content-type", "application/grpc"),
        4 => add("x-forwarded-proto", "https"),
        5 => add("x-envoy-upstream-rq-timeout-ms", "700"),
        6 => add("x-forwarded-for", "1.2.3.4"),
        7 => add("x-envoy-retriable-status-codes", "404"),
        8 => add("x-envoy-upstream-alt-stat-name", "other"),
        9 => add("x-envoy-fault-abort-request", "503"),
        _ => {}
    }
    if matches!(probe.method.as_str(), "POST" | "PUT") {
        // A copy of a body is lost here when its request fails before it was read.
        let sizes = if rule.to_string().contains("mirror") { [0, 0, 0] } else { [0, 5, 3000] };
        probe.body_bytes = sizes[random.usize(..3)];
    }
}

fn script(random: &mut Rng, waits: bool) -> Vec<String> {
    const WORDS: [&str; 12] = [
        "503", "500", "502", "504", "409", "429", "404", "reset", "grpc-14", "grpc-8", "ok",
        "reset",
    ];
    let word = |random: &mut Rng| match waits && random.u32(..4) == 0 {
        true => "hang",
        false => WORDS[random.usize(..WORDS.len())],
    };
    (0..1 + random.usize(..4)).map(|_| word(random).to_owned()).collect()
}

impl Probe {
    /// The request as it is sent to the rules of `host`, noted by upstreams as `case`.
    pub(crate) fn bytes(&self, host: &str, case: &str) -> Vec<u8> {
        let Self { method, path, after_host, .. } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}{after_host}\r\n");
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("x-case: {case}\r\n"));
        if !self.script.is_empty() {
            text.push_str(&format!("x-script: {}\r\n", self.script.join(",")));
        }
        if matches!(method.as_str(), "POST" | "PUT") {
            text.push_str(&format!("content-length: {}\r\n", self.body_bytes));
        }
        text.push_str("\r\n");
        text.push_str(&"x".repeat(self.body_bytes));
        text.into_bytes()
    }
}
