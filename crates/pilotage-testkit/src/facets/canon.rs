//! Equal meaning, equal value.

use serde_json::{Map, Number, Value};

/// Names, statistics and plumbing of the transport: they decide nothing about a request.
const IGNORED: [&str; 21] = [
    "accessLog",
    "altStatName",
    "cleanupInterval",
    "configSource",
    "decorator",
    "edsClusterConfig",
    "edsConfig",
    "includeRequestAttemptCount",
    "internalAddressConfig",
    "maxConnectionsToAcceptPerSocketEvent",
    "maxDirectResponseBodySizeBytes",
    "maxGrpcTimeout",
    "metadata",
    "requestIdExtension",
    "sdsConfig",
    "serverName",
    "setCurrentClientCertDetails",
    "statPrefix",
    "tracing",
    "transportSocketConnectTimeout",
    "validateClusters",
];

/// `value` in the form in which equal meanings are equal values: durations as seconds, numbers in strings as numbers,
/// `false`, `null` and empty lists left out of objects, ignored fields left out.
pub fn canon(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(canon_fields(fields)),
        Value::Array(items) => Value::Array(items.iter().map(canon).collect()),
        Value::String(text) => canon_text(text).unwrap_or_else(|| value.clone()),
        Value::Number(number) => canon_number(number),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// Whether fields called `name` are left out.
pub(super) fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name)
}

fn canon_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, _)| !is_ignored(name))
        .map(|(name, value)| (name.clone(), canon(value)))
        .filter(|(_, value)| !says_nothing(value))
        .collect()
}

/// Protobuf-JSON may leave these out or write them: both mean the default.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// `1.5s` as 1.5, `"250"` as 250; nothing for any other text.
fn canon_text(text: &str) -> Option<Value> {
    if let Some(seconds) = text.strip_suffix('s').filter(|rest| is_decimal(rest)) {
        return seconds.parse().ok().map(from_float);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let integer = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if integer { text.parse::<i64>().ok().map(Value::from) } else { None }
}

/// Digits, perhaps with a sign and a fraction.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

fn canon_number(number: &Number) -> Value {
    match number.as_f64() {
        Some(float) if number.is_f64() => from_float(float),
        _ => Value::Number(number.clone()),
    }
}

/// A float without fraction equals the integer.
fn from_float(float: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "only values far below 2^53 are converted")]
    if float.fract() == 0.0 && float.abs() < 1e15 {
        Value::from(float as i64)
    } else {
        Value::from(float)
    }
}

/// `value` as JSON text with sorted keys: equal values give equal texts, so that lists can be ordered by it.
pub fn sorted_text(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by(|a, b| a.0.cmp(b.0));
            let inner: Vec<_> = names
                .into_iter()
                .map(|(name, value)| {
                    format!("{}: {}", Value::from(name.as_str()), sorted_text(value))
                })
                .collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(items) => {
            let inner: Vec<_> = items.iter().map(sorted_text).collect();
            format!("[{}]", inner.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{canon, sorted_text};

    #[test]
    fn spellings_of_one_value_are_equal() {
        assert_eq!(canon(&json!("5s")), canon(&json!("5.000s")));
        assert_eq!(canon(&json!("5s")), canon(&json!(5)));
        assert_eq!(canon(&json!("250")), canon(&json!(250)));
        assert_eq!(canon(&json!(2.0)), json!(2));
        assert_eq!(canon(&json!("-0.5s")), json!(-0.5));
    }

    #[test]
    fn texts_that_only_look_like_numbers_stay_texts() {
        for text in ["", "-", "s", ".5s", "5.s", "1e3", "+1", "1234567890123456", "5m", "1s "] {
            assert_eq!(canon(&json!(text)), json!(text));
        }
    }

    #[test]
    fn defaults_are_left_out_and_empty_objects_stay() {
        let written = json!({"a": false, "b": null, "c": [], "d": {}, "e": true, "f": 0, "g": ""});
        assert_eq!(canon(&written), json!({"d": {}, "e": true, "f": 0, "g": ""}));
    }

    #[test]
    fn plumbing_is_left_out_at_every_depth() {
        let written = json!([{"x": {"statPrefix": "a", "keep": 1}, "metadata": {"y": 2}, "validateClusters": true}]);
        assert_eq!(canon(&written), json!([{"x": {"keep": 1}}]));
    }

    #[test]
    fn sorted_text_ignores_the_order_of_fields() {
        assert_eq!(
            sorted_text(&json!({"b": 1, "a": [2]})),
            sorted_text(&json!({"a": [2], "b": 1}))
        );
    }
}
