//! Rules for host names, alone and among each other.

use super::checker::Checker;
use super::names;
use crate::field_path::FieldPath;

/// A host that may begin with a wildcard.
pub(super) fn wildcard_host(host: &str, at: &FieldPath, checker: &mut Checker<'_>) -> bool {
    match names::wildcard_host(host) {
        Ok(()) => true,
        Err(reason) => {
            checker.error(at, format!("`{host}` is not a host name: {reason}"), "not a host name");
            false
        }
    }
}

/// A host without wildcard.
pub(super) fn host_name(host: &str, at: &FieldPath, checker: &mut Checker<'_>) -> bool {
    match names::host_name(host) {
        Ok(()) => true,
        Err(reason) => {
            checker.error(at, format!("`{host}` is not a host name: {reason}"), "not a host name");
            false
        }
    }
}

/// Whether two hosts, either of which may be a wildcard, share a name. Symmetric.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (None, None) => a == b,
        (Some(a), None) => b.ends_with(a),
        (None, Some(b)) => a.ends_with(b),
        (Some(a), Some(b)) => a.ends_with(b) || b.ends_with(a),
    }
}

/// Whether every name that `inner` stands for is also one of `outer`'s.
pub(super) fn covered_by(inner: &str, outer: &str) -> bool {
    match (inner.strip_prefix('*'), outer.strip_prefix('*')) {
        (None, None) => inner == outer,
        (None, Some(suffix)) => inner.ends_with(suffix),
        (Some(inner), Some(suffix)) => inner.ends_with(suffix),
        (Some(_), None) => false,
    }
}

/// The host of a Gateway server or Sidecar listener: an optional `namespace/` and a name that is no short name.
pub(super) struct ScopedHost<'a> {
    /// What stands before the slash.
    pub(super) namespace: Option<&'a str>,
    /// The DNS part.
    pub(super) name: &'a str,
}

impl<'a> ScopedHost<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        match text.split_once('/') {
            Some((namespace, name)) => Self { namespace: Some(namespace), name },
            None => Self { namespace: None, name: text },
        }
    }

    /// Checks the namespace part; `also` names further words that are allowed beside `*`, `.` and labels.
    pub(super) fn check_namespace(&self, also: &str, at: &FieldPath, checker: &mut Checker<'_>) {
        let Some(namespace) = self.namespace else { return };
        let plain = if also == "~" {
            namespace.strip_prefix('~').filter(|rest| !rest.is_empty()).unwrap_or(namespace)
        } else {
            namespace
        };
        if matches!(plain, "*" | ".") || namespace == also || names::is_dns_label(plain) {
            return;
        }
        checker.error(
            at,
            format!("`{namespace}` before the slash is not a namespace, `*` or `.`"),
            "not a namespace",
        );
    }

    /// Checks the DNS part: `*`, or a name of at least two labels whose wildcard is a whole label.
    pub(super) fn check_name(&self, at: &FieldPath, checker: &mut Checker<'_>) {
        let name = self.name;
        if name == "*" {
            return;
        }
        if let Err(reason) = names::wildcard_host(name) {
            checker.error(at, format!("`{name}` is not a host name: {reason}"), "not a host name");
        } else if !name.contains('.') {
            checker.error(
                at,
                format!("`{name}` is a short name, and here only full names are possible"),
                "write the full name",
            );
        } else if name.starts_with('*') && !name.starts_with("*.") {
            checker.error(
                at,
                format!("`{name}`: here a wildcard can only stand for whole labels"),
                "write `*.` and the rest",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{covered_by, overlap};

    #[test]
    fn wildcards() {
        assert!(overlap("*.a.com", "x.a.com"));
        assert!(overlap("*.com", "*.a.com"));
        assert!(!overlap("*.a.com", "a.com"));
        assert!(covered_by("*.a.com", "*.com"));
        assert!(!covered_by("*.com", "*.a.com"));
        assert!(!covered_by("*.com", "a.com"));
    }
}
