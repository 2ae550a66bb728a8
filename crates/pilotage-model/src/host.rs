//! Host names of services and rules: completion of short names, wildcards, specificity.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A host name as a rule or a registry spells it: `reviews.default.svc.cluster.local`, `*.example.com`.
///
/// Comparison is by letter; a rule that wants letter case ignored lower-cases first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(Arc<str>);

impl Host {
    /// A host spelled exactly so.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The host a rule of `namespace` means by `name`: a name without a dot is a Kubernetes service of that
    /// namespace. `*`, addresses and anything with a dot stay as they are.
    #[must_use]
    pub fn complete(name: &str, namespace: &str, domain: &str) -> Self {
        if name.is_empty() || name == "*" || name.contains('.') || name.parse::<IpAddr>().is_ok() {
            return Self::new(name);
        }
        Self(format!("{name}.{namespace}.svc.{domain}").into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name in lower case.
    #[must_use]
    pub fn lower_cased(&self) -> Self {
        if self.0.bytes().any(|b| b.is_ascii_uppercase()) {
            Self(self.0.to_ascii_lowercase().into())
        } else {
            self.clone()
        }
    }

    /// Whether the name begins with `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// What follows the `*` of a wildcard.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }

    /// Whether the two names can mean the same host; of two wildcards one must contain the other.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        match (self.suffix(), other.suffix()) {
            (Some(mine), Some(theirs)) => mine.ends_with(theirs) || theirs.ends_with(mine),
            (Some(mine), None) => other.0.ends_with(mine),
            (None, Some(theirs)) => self.0.ends_with(theirs),
            (None, None) => self == other,
        }
    }

    /// Whether every host that this name means is also meant by `other`.
    #[must_use]
    pub fn subset_of(&self, other: &Self) -> bool {
        match (self.suffix(), other.suffix()) {
            (Some(mine), Some(theirs)) => mine.ends_with(theirs),
            (Some(_), None) => false,
            (None, Some(theirs)) => self.0.ends_with(theirs),
            (None, None) => self == other,
        }
    }

    /// Orders the more specific name first: exact before wildcard, longer before shorter, then by letter.
    #[must_use]
    pub fn by_specificity(&self, other: &Self) -> Ordering {
        self.is_wildcard()
            .cmp(&other.is_wildcard())
            .then_with(|| other.0.len().cmp(&self.0.len()))
            .then_with(|| self.cmp(other))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Host {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl std::borrow::Borrow<str> for Host {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_without_a_dot_are_completed() {
        let complete = |name| Host::complete(name, "shop", "cluster.local").to_string();
        assert_eq!(complete("cart"), "cart.shop.svc.cluster.local");
        assert_eq!(complete("cart.blue"), "cart.blue");
        assert_eq!(complete("*"), "*");
        assert_eq!(complete("::1"), "::1");
    }

    #[test]
    fn matching_is_symmetric_and_subset_is_not() {
        let (wide, narrow) = (Host::from("*.example.com"), Host::from("*.shop.example.com"));
        let exact = Host::from("a.shop.example.com");
        assert!(wide.matches(&narrow) && narrow.matches(&wide));
        assert!(narrow.subset_of(&wide) && !wide.subset_of(&narrow));
        assert!(exact.subset_of(&narrow) && !narrow.subset_of(&exact) && narrow.matches(&exact));
        assert!(!Host::from("example.com").matches(&wide));
        assert!(Host::from("*").matches(&exact));
    }

    #[test]
    fn specific_names_come_first() {
        let mut hosts = ["*", "*.b.com", "b.com", "*.a.b.com", "a.b.com"].map(Host::from);
        hosts.sort_by(Host::by_specificity);
        let names: Vec<_> = hosts.iter().map(Host::as_str).collect();
        assert_eq!(names, ["a.b.com", "b.com", "*.a.b.com", "*.b.com", "*"]);
    }
}
