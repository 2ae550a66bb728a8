//! Which destination rule a client uses for a service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::object::Object;

use super::{DestinationRule, Written, written};
use crate::host::Host;
use crate::labels::{Labels, selects};
use crate::mesh::Mesh;

/// All destination rules, by who can use them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationRules {
    /// Rules that clients of the rule's own namespace use.
    local: BTreeMap<Arc<str>, Pool>,
    /// Rules that clients of other namespaces may use.
    exported: BTreeMap<Arc<str>, Pool>,
    /// Rules of the root namespace that are only for it.
    root_private: Pool,
    root_namespace: Arc<str>,
}

/// Rules by host; of several for one host, those that could not be merged, in order of age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pool {
    exact: BTreeMap<Host, Vec<Candidate>>,
    /// Longest suffix first.
    wildcards: Vec<(Host, Vec<Candidate>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    rule: Arc<DestinationRule>,
    export_to: BTreeSet<Arc<str>>,
}

/// The rules among which a client chooses by its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    rules: Vec<Arc<DestinationRule>>,
}

impl Choice {
    /// The rule for outgoing traffic of a client: the oldest one that selects it, else the newest for everybody.
    #[must_use]
    pub fn outbound(&self, namespace: &str, labels: &Labels) -> Option<&Arc<DestinationRule>> {
        let mine = self.rules.iter().find(|rule| {
            let selector = rule.selector.as_ref();
            &*rule.namespace == namespace && selector.is_some_and(|s| selects(s, labels))
        });
        mine.or_else(|| self.inbound())
    }

    /// The rule for incoming traffic, where selectors do not count.
    #[must_use]
    pub fn inbound(&self) -> Option<&Arc<DestinationRule>> {
        self.rules.iter().rev().find(|rule| rule.selector.is_none())
    }
}

impl DestinationRules {
    /// Merges and sorts all rules.
    #[must_use]
    pub fn build(objects: &[Arc<Object>], mesh: &Mesh) -> Self {
        let root = mesh.root_namespace();
        let default = &mesh.config().default_destination_rule_export_to;
        let private_by_default = !default.iter().any(|entry| entry == "*");
        let mut all = Self { root_namespace: root.into(), ..Self::default() };
        for Written { rule, export_to } in written(objects, mesh) {
            let namespace = Arc::clone(&rule.namespace);
            let own = export_to.contains(".") || export_to.contains(&namespace);
            if export_to.is_empty() || export_to.contains("*") || own {
                all.local.entry(Arc::clone(&namespace)).or_default().add(&rule, &export_to);
            }
            let private =
                if export_to.is_empty() { private_by_default } else { export_to.len() == 1 && own };
            if !private {
                all.exported.entry(namespace).or_default().add(&rule, &export_to);
            } else if &*namespace == root {
                all.root_private.add(&rule, &export_to);
            }
        }
        for pool in all.local.values_mut().chain(all.exported.values_mut()) {
            pool.wildcards.sort_by(|(a, _), (b, _)| a.by_specificity(b));
        }
        all.root_private.wildcards.sort_by(|(a, _), (b, _)| a.by_specificity(b));
        all
    }

    /// The rules that clients of `client` have for `host`, a service of `owner`: the client's own namespace is asked
    /// first, then the service's, then the root namespace.
    #[must_use]
    pub fn choice(&self, client: &str, host: &Host, owner: &str) -> Choice {
        let local = if client == &*self.root_namespace {
            Some(&self.root_private)
        } else {
            self.local.get(client)
        };
        let all = |_: &Candidate| true;
        let found = local
            .and_then(|pool| pool.find(host, all))
            .or_else(|| self.exported_by(owner, host, client))
            .or_else(|| self.exported_by(&self.root_namespace, host, client));
        Choice { rules: found.unwrap_or_default() }
    }

    fn exported_by(
        &self,
        owner: &str,
        host: &Host,
        client: &str,
    ) -> Option<Vec<Arc<DestinationRule>>> {
        self.exported.get(owner)?.find(host, |candidate| {
            let export_to = &candidate.export_to;
            let home = owner == client && export_to.contains(".");
            export_to.is_empty() || export_to.contains("*") || export_to.contains(client) || home
        })
    }
}

impl Pool {
    fn add(&mut self, rule: &DestinationRule, export_to: &BTreeSet<Arc<str>>) {
        let candidates = if rule.host.is_wildcard() {
            match self.wildcards.iter().position(|(host, _)| *host == rule.host) {
                Some(at) => self.wildcards.get_mut(at).map(|(_, candidates)| candidates),
                None => {
                    self.wildcards.push((rule.host.clone(), Vec::new()));
                    self.wildcards.last_mut().map(|(_, candidates)| candidates)
                }
            }
        } else {
            Some(self.exact.entry(rule.host.clone()).or_default())
        };
        let Some(candidates) = candidates else { return };
        let mut apart = true;
        for known in candidates.iter_mut() {
            let same = known.export_to == *export_to;
            let wider = !known.export_to.is_empty() && export_to.is_superset(&known.export_to);
            if !same && !wider {
                apart = true;
                continue;
            }
            apart = match (&known.rule.selector, &rule.selector) {
                (None, None) => false,
                (Some(a), Some(b)) if a == b => false,
                (Some(_), Some(_)) => {
                    apart = true;
                    continue;
                }
                // A rule for some clients and one for all: merged, and yet kept.
                (None, Some(_)) | (Some(_), None) => true,
            };
            Arc::make_mut(&mut known.rule).merge(rule);
        }
        if apart {
            let rule = Arc::new(rule.clone());
            candidates.push(Candidate { rule, export_to: export_to.clone() });
        }
    }

    /// The rules for the most specific host that matches, as far as `usable`; nothing when no host matches or none of
    /// its rules is usable.
    fn find(
        &self,
        host: &Host,
        usable: impl Fn(&Candidate) -> bool,
    ) -> Option<Vec<Arc<DestinationRule>>> {
        let candidates = self.exact.get(host).or_else(|| {
            // An exact rule never covers a wildcard service, a wildcard rule does.
            self.wildcards
                .iter()
                .find(|(pattern, _)| host.subset_of(pattern))
                .map(|(_, candidates)| candidates)
        })?;
        let rules: Vec<_> = candidates
            .iter()
            .filter(|candidate| usable(candidate))
            .map(|candidate| Arc::clone(&candidate.rule))
            .collect();
        (!rules.is_empty()).then_some(rules)
    }
}

#[cfg(test)]
mod tests;
