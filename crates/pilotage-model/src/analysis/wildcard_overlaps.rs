//! Objects for a host beside objects for a wildcard that covers it: traps, where one takes more from the other than it
//! looks. What merely overlaps, as it should, is not told.

mod destination_rules;
mod gateways;
mod service_entries;
mod virtual_services;

use std::collections::BTreeMap;

use pilotage_config::Diagnostic;

use super::Context;

/// The problems of all kinds that have hosts.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = destination_rules::analyze(context);
    problems.extend(virtual_services::analyze(context));
    problems.extend(service_entries::analyze(context));
    problems.extend(gateways::analyze(context));
    problems
}

/// Things for wildcards, found by the hosts that they cover. Those of different scopes know nothing of each other.
struct Wildcards<'a, T>(BTreeMap<(&'a str, String), Vec<T>>);

impl<'a, T> Wildcards<'a, T> {
    /// Each with its scope and host. Hosts that are no wildcards are passed over.
    fn new<H: AsRef<str>>(all: impl IntoIterator<Item = (&'a str, H, T)>) -> Self {
        let mut by_suffix: BTreeMap<_, Vec<T>> = BTreeMap::new();
        for (scope, host, thing) in all {
            if let Some(suffix) = host.as_ref().strip_prefix('*') {
                by_suffix.entry((scope, suffix.to_owned())).or_default().push(thing);
            }
        }
        Self(by_suffix)
    }

    /// Those of `scope` that cover `host`, which may be a narrower wildcard; the most specific first.
    fn covering(&self, scope: &'a str, host: &str) -> impl Iterator<Item = &T> {
        let (known, own) = match host.strip_prefix('*') {
            Some(suffix) => (suffix, suffix.len()),
            None => (host, usize::MAX),
        };
        let dots =
            known.match_indices('.').map(|(index, _)| known.get(index..).unwrap_or_default());
        let wider = dots.chain([""]).filter(move |suffix| suffix.len() < own);
        let covering = wider.filter_map(move |suffix| self.0.get(&(scope, suffix.to_owned())));
        covering.flatten().collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_found_from_the_most_specific_to_the_widest() {
        let all = ["*", "*.test", "*.a.test", "b.a.test"].map(|host| ("x", host, host));
        let wildcards = Wildcards::new(all);
        let of = |host| wildcards.covering("x", host).copied().collect::<Vec<_>>();
        assert_eq!(of("b.a.test"), ["*.a.test", "*.test", "*"]);
        assert_eq!(of("*.a.test"), ["*.test", "*"]);
        assert_eq!(of("a.test"), ["*.test", "*"]);
        assert_eq!(of("*"), Vec::<&str>::new());
        assert_eq!(wildcards.covering("y", "a.test").count(), 0);
    }
}
