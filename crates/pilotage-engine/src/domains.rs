//! Virtual hosts by domain.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::rejection::FieldError;

/// Which virtual host a host name belongs to: the exact domain, else the longest `*suffix`, else the longest
/// `prefix*`, else `*`.
#[derive(Debug, Default)]
pub struct Domains {
    exact: ByName,
    suffixes: Wildcards,
    prefixes: Wildcards,
    any: Option<usize>,
}

type ByName = HashMap<Box<str>, usize, FixedState>;

/// Wildcards by the length of what is fixed, longest first.
#[derive(Debug, Default)]
struct Wildcards(Vec<(usize, ByName)>);

impl Domains {
    /// Adds `domain` of virtual host number `index`.
    ///
    /// # Errors
    /// When the domain is there already.
    pub fn insert(&mut self, domain: &str, index: usize) -> Result<(), FieldError> {
        let lower = domain.to_ascii_lowercase();
        let taken = if lower == "*" {
            self.any.replace(index).is_some()
        } else if let Some(suffix) = lower.strip_prefix('*') {
            self.suffixes.insert(suffix, index)
        } else if let Some(prefix) = lower.strip_suffix('*') {
            self.prefixes.insert(prefix, index)
        } else {
            self.exact.insert(lower.as_str().into(), index).is_some()
        };
        if taken {
            let message = format!("domain `{domain}` appears more than once");
            return Err(FieldError::new("domains", message));
        }
        Ok(())
    }

    /// The virtual host of `host`, whose port has been removed where ports are ignored.
    pub fn find(&self, host: &str) -> Option<usize> {
        let lower = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        let host: &str = &lower;
        self.exact
            .get(host)
            .copied()
            .or_else(|| self.suffixes.find(host, |host, len| host.get(host.len() - len..)))
            .or_else(|| self.prefixes.find(host, |host, len| host.get(..len)))
            .or(self.any)
    }

    /// Whether any domain but `*` covers `host`.
    pub(crate) fn names(&self, host: &str) -> bool {
        let found = self.find(host);
        found.is_some() && found != self.any
    }
}

impl Wildcards {
    fn insert(&mut self, fixed: &str, index: usize) -> bool {
        let place = self.0.binary_search_by(|(length, _)| fixed.len().cmp(length));
        let place = place.unwrap_or_else(|free| {
            self.0.insert(free, (fixed.len(), ByName::default()));
            free
        });
        self.0.get_mut(place).is_some_and(|(_, names)| names.insert(fixed.into(), index).is_some())
    }

    fn find(&self, host: &str, part: impl Fn(&str, usize) -> Option<&str>) -> Option<usize> {
        self.0
            .iter()
            // The wildcard stands for at least one character.
            .filter(|(length, _)| *length < host.len())
            .find_map(|(length, names)| names.get(part(host, *length)?).copied())
    }
}

/// `authority` without its port; brackets of IPv6 addresses stay.
pub(crate) fn without_port(authority: &str) -> &str {
    split_port(authority).0
}

/// `authority` split into host and the digits (or whatever else follows the last colon) of its port.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // Within brackets it is a colon of the address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Shared names of domains, for the people who ask.
pub(crate) fn shared(domains: &[String]) -> Vec<Arc<str>> {
    domains.iter().map(|d| Arc::from(d.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::{Domains, split_port, without_port};

    #[test]
    fn the_most_specific_domain_wins() {
        let mut domains = Domains::default();
        let all =
            ["a.example", "*.example", "*-x.example", "a.*", "a.b.*", "*", "[::1]", "B.Example"];
        for (index, domain) in all.into_iter().enumerate() {
            domains.insert(domain, index).unwrap();
        }
        for (host, expected) in [
            ("a.example", 0),
            ("A.EXAMPLE", 0),
            ("b.example", 7),
            ("c.example", 1),
            ("c-x.example", 2),
            (".example", 5),
            ("a.b.c", 4),
            ("a.c", 3),
            ("other", 5),
            ("", 5),
            ("[::1]", 6),
        ] {
            assert_eq!(domains.find(host), Some(expected), "{host}");
        }
        assert!(domains.names("a.c"));
        assert!(!domains.names("other"));
        assert!(domains.insert("*", 9).is_err());
        assert!(domains.insert("A.example", 9).is_err());
    }

    #[test]
    fn ports_split_off() {
        assert_eq!(without_port("a:80"), "a");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(split_port("[::1]"), ("[::1]", None));
        assert_eq!(split_port("a"), ("a", None));
    }
}
