//! The facets that are not read from resources: which objects are rejected, and which messages are given.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What Istio's webhook said about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Kind, for instance `VirtualService`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace; `default` when the object names none.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default_namespace")]
    pub namespace: String,
    /// Whether it was accepted.
    pub valid: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// What it said without rejecting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

fn default_namespace() -> String {
    "default".into()
}

fn is_default_namespace(namespace: &String) -> bool {
    namespace == "default"
}

impl Verdict {
    /// `Kind namespace/name`, as messages name objects.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// Whether Istio could not even decode the object: then an error of any code counts as a rejection.
    fn is_undecodable(&self) -> bool {
        self.errors.first().is_some_and(|error| error.starts_with("parse:"))
    }
}

/// One message of an analyzer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Message {
    /// Code, for instance `IST0101`.
    pub code: String,
    /// `Error`, `Warning` or `Info`.
    pub level: String,
    /// `Kind namespace/name` of the object it is about.
    pub origin: String,
}

/// Objects that Istio accepts and `ours` reports as invalid, or the other way round.
#[must_use]
pub fn verdict_differences(theirs: &[Verdict], ours: &[Message]) -> Vec<String> {
    let errors = || ours.iter().filter(|m| m.level == "Error");
    let invalid: BTreeSet<&str> =
        errors().filter(|m| m.code == "IST0106").map(|m| m.origin.as_str()).collect();
    let unread: BTreeSet<&str> = errors().map(|m| m.origin.as_str()).collect();
    theirs
        .iter()
        .filter(|verdict| {
            let rejected = if verdict.is_undecodable() { &unread } else { &invalid };
            verdict.valid == rejected.contains(verdict.origin().as_str())
        })
        .map(|verdict| match verdict.valid {
            true => format!("{}: Istio accepts", verdict.origin()),
            false => format!("{}: Istio rejects: {}", verdict.origin(), verdict.errors.join("; ")),
        })
        .collect()
}

/// Messages with one of Istio's codes that only one side gives, counting repetitions.
#[must_use]
pub fn message_differences(theirs: &[Message], ours: &[Message]) -> Vec<String> {
    let mut balance: BTreeMap<&Message, i64> = BTreeMap::new();
    for message in theirs.iter().filter(|m| m.code.starts_with("IST")) {
        *balance.entry(message).or_default() += 1;
    }
    for message in ours.iter().filter(|m| m.code.starts_with("IST")) {
        *balance.entry(message).or_default() -= 1;
    }
    balance
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(m, count)| {
            let side = if count > 0 { "Istio's" } else { "ours" };
            format!("only {side}: {} {} {} ({})", m.code, m.level, m.origin, count.abs())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Message, Verdict, message_differences, verdict_differences};

    fn verdict(valid: bool, error: &str) -> Verdict {
        let errors = if valid { vec![] } else { vec![error.to_owned()] };
        Verdict {
            kind: "VirtualService".into(),
            name: "a".into(),
            namespace: "default".into(),
            valid,
            errors,
            warnings: vec![],
        }
    }

    fn message(code: &str, level: &str) -> Message {
        Message {
            code: code.into(),
            level: level.into(),
            origin: "VirtualService default/a".into(),
        }
    }

    #[test]
    fn an_accepted_object_must_not_have_a_schema_error() {
        assert!(
            verdict_differences(&[verdict(true, "")], &[message("IST0106", "Warning")]).is_empty()
        );
        assert!(
            verdict_differences(&[verdict(true, "")], &[message("IST0101", "Error")]).is_empty()
        );
        assert_eq!(
            verdict_differences(&[verdict(true, "")], &[message("IST0106", "Error")]).len(),
            1
        );
    }

    #[test]
    fn a_rejected_object_needs_a_schema_error_and_an_undecodable_one_any_error() {
        let rejected = [verdict(false, "no hosts")];
        assert_eq!(verdict_differences(&rejected, &[message("IST0101", "Error")]).len(), 1);
        assert!(verdict_differences(&rejected, &[message("IST0106", "Error")]).is_empty());
        let undecodable = [verdict(false, "parse: bad duration")];
        assert!(verdict_differences(&undecodable, &[message("PIL0004", "Error")]).is_empty());
        assert_eq!(verdict_differences(&undecodable, &[message("PIL0004", "Warning")]).len(), 1);
    }

    #[test]
    fn messages_are_counted_and_only_istio_codes_matter() {
        let twice = [message("IST0109", "Error"), message("IST0109", "Error")];
        assert_eq!(message_differences(&twice, &twice[..1]).len(), 1);
        assert!(message_differences(&twice, &twice).is_empty());
        assert!(message_differences(&[], &[message("PIL0001", "Warning")]).is_empty());
    }
}
