//! What became of a request, in the form in which two outcomes are compared.

use serde_json::{Map, Value};

/// The parts of an outcome that both a recording and a replay know.
const COMPARED: [&str; 11] = [
    "status",
    "error",
    "handled",
    "flags",
    "details",
    "cluster",
    "virtual_host",
    "route",
    "upstream_request",
    "response",
    "body",
];

/// `outcome` with only the parts that are compared.
#[must_use]
pub fn comparable(outcome: &Value) -> Value {
    if outcome.get("handled").is_some_and(|by| by == "tcp") {
        // What HTTP sent through a TCP proxy comes to is the upstream's doing.
        return pick(outcome, &["error", "handled", "flags", "cluster"]);
    }
    let mut outcome = outcome.clone();
    if let Some(Value::String(flags)) = outcome.get_mut("flags") {
        let mut each: Vec<&str> = flags.split(',').collect();
        each.sort_unstable();
        *flags = each.join(",");
    }
    if let Some(request) = outcome.get_mut("upstream_request") {
        *request = pick(request, &["method", "path", "host", "headers"]);
    }
    if let Some(response) = outcome.get_mut("response") {
        *response = pick(response, &["location", "body", "headers"]);
    }
    pick(&outcome, &COMPARED)
}

fn pick(value: &Value, names: &[&str]) -> Value {
    let mut kept = Map::new();
    for name in names {
        match value.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Object(fields)) if fields.is_empty() => {}
            Some(part) => {
                kept.insert((*name).to_owned(), part.clone());
            }
        }
    }
    Value::Object(kept)
}

/// Whether `ours` is what was recorded, where the recording masks what differs from run to run: `*` and `<…>` stand for
/// any text.
#[must_use]
pub fn fits(recorded: &Value, ours: &Value) -> bool {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| fits(v, w)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(v, w)| fits(v, w))
        }
        (Value::String(mask), Value::String(text)) => mask == text || fits_mask(mask, text),
        (a, b) => a == b,
    }
}

fn fits_mask(mask: &str, text: &str) -> bool {
    let mut pieces = Vec::new();
    let mut rest = mask;
    while let Some(start) = rest.find(['*', '<']) {
        let length = if rest[start..].starts_with('*') {
            1
        } else if let Some(end) = rest[start..].find('>') {
            end + 1
        } else {
            break;
        };
        pieces.push(&rest[..start]);
        rest = &rest[start + length..];
    }
    if pieces.is_empty() {
        return false;
    }
    let Some(mut remaining) = text.strip_prefix(pieces[0]) else { return false };
    for piece in &pieces[1..] {
        let Some(at) = remaining.find(piece) else { return false };
        remaining = &remaining[at + piece.len()..];
    }
    remaining.ends_with(rest)
}

/// How `ours` differs from what was recorded for one request: outcomes that only one side has. The rare ones of the
/// recording need not have come up.
#[must_use]
pub fn differences(recorded: &[Value], ours: &[Value], may_lack_rare: bool) -> Vec<String> {
    let recorded: Vec<(Value, bool)> =
        recorded.iter().map(|o| (comparable(o), is_rare(o))).collect();
    let ours: Vec<Value> = ours.iter().map(comparable).collect();
    let mut found = Vec::new();
    for (outcome, rare) in &recorded {
        if !rare && !ours.iter().any(|o| fits(outcome, o)) {
            found.push(format!("Envoy: {outcome}"));
        }
    }
    for outcome in &ours {
        if !may_lack_rare && !recorded.iter().any(|(o, _)| fits(o, outcome)) {
            found.push(format!("ours:  {outcome}"));
        }
    }
    found
}

/// Seen so seldom that as many draws may pass without it.
fn is_rare(outcome: &Value) -> bool {
    outcome.get("n").and_then(Value::as_u64).is_some_and(|n| n <= 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{comparable, differences, fits};

    #[test]
    fn masks_stand_for_any_text() {
        assert!(fits(&json!("*"), &json!("c0ffee")));
        assert!(fits(&json!("10.1.9.1:<port>"), &json!("10.1.9.1:4711")));
        assert!(fits(&json!("t=*; Path=/"), &json!("t=\"abc\"; Path=/")));
        assert!(!fits(&json!("10.1.9.1:<port>"), &json!("10.1.9.2:4711")));
        assert!(!fits(&json!("t=*; Path=/"), &json!("t=abc")));
        assert!(!fits(&json!("plain"), &json!("other")));
        assert!(fits(&json!("a < b"), &json!("a < b")));
    }

    #[test]
    fn only_what_both_sides_know_is_compared() {
        let recorded = json!({"n": 12, "status": 200, "upstream": ["1.2.3.4:80"], "tls": {}, "route": null,
            "upstream_request": {"method": "GET", "protocol": "HTTP/2"}, "response": {"headers": {}}});
        assert_eq!(
            comparable(&recorded),
            json!({"status": 200, "upstream_request": {"method": "GET"}})
        );
    }

    #[test]
    fn outcomes_are_sets_and_rare_ones_may_be_missing() {
        let recorded = [json!({"n": 9, "status": 200}), json!({"n": 1, "status": 503})];
        assert!(differences(&recorded, &[json!({"status": 200})], false).is_empty());
        assert_eq!(differences(&recorded, &[json!({"status": 503})], false).len(), 1);
        let more = [json!({"status": 200}), json!({"status": 404})];
        assert_eq!(differences(&recorded, &more, false).len(), 1);
        assert!(differences(&recorded, &more, true).is_empty());
    }
}
