//! Which virtual service of a sidecar is for which host.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::VirtualService;
use crate::host::Host;

/// Virtual services by host. Positions are those of the list that the index was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshHosts {
    exact: BTreeMap<Host, Vec<usize>>,
    /// The first virtual service of each wildcard, the most specific wildcard first.
    wildcards: Vec<(Host, usize)>,
}

impl MeshHosts {
    /// Indexes virtual services, which stand in the order in which they win.
    #[must_use]
    pub fn new(services: &[Arc<VirtualService>]) -> Self {
        let mut exact: BTreeMap<Host, Vec<usize>> = BTreeMap::new();
        let mut wildcards: BTreeMap<Host, usize> = BTreeMap::new();
        for (position, service) in services.iter().enumerate() {
            for host in &service.mesh_hosts {
                if host.is_wildcard() {
                    wildcards.entry(host.clone()).or_insert(position);
                } else {
                    exact.entry(host.clone()).or_default().push(position);
                }
            }
        }
        let mut wildcards: Vec<_> = wildcards.into_iter().collect();
        wildcards.sort_by(|a, b| a.0.by_specificity(&b.0));
        Self { exact, wildcards }
    }

    /// The virtual service closest to `host`: the first that names it, else the first of the most specific wildcard
    /// that covers it.
    #[must_use]
    pub fn closest(&self, host: &str) -> Option<usize> {
        if let Some(first) = self.exact.get(host).and_then(|positions| positions.first()) {
            return Some(*first);
        }
        let host = Host::new(host);
        let covers = |wildcard: &Host| host.subset_of(wildcard);
        self.wildcards.iter().find(|(wildcard, _)| covers(wildcard)).map(|(_, position)| *position)
    }

    /// The virtual services that name `host` or cover it, in the order in which they win.
    #[must_use]
    pub fn naming(&self, host: &str) -> Vec<usize> {
        let mut positions = self.exact.get(host).cloned().unwrap_or_default();
        positions.extend(self.closest(host));
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(hosts: &[&[&str]]) -> Vec<Arc<VirtualService>> {
        let one = |hosts: &&[&str]| {
            Arc::new(VirtualService {
                mesh_hosts: hosts.iter().map(|host| Host::new(host)).collect(),
                ..VirtualService::for_tests()
            })
        };
        hosts.iter().map(one).collect()
    }

    #[test]
    fn an_exact_name_is_closer_than_a_long_wildcard_and_that_closer_than_a_short_one() {
        let all = services(&[&["*.com"], &["*.a.com"], &["x.a.com"], &["*.a.com"], &["x.a.com"]]);
        let index = MeshHosts::new(&all);
        assert_eq!(index.closest("x.a.com"), Some(2));
        assert_eq!(index.closest("y.a.com"), Some(1));
        assert_eq!(index.closest("b.com"), Some(0));
        assert_eq!(index.closest("b.org"), None);
        assert_eq!(index.naming("x.a.com"), [2, 4]);
        assert_eq!(index.naming("y.a.com"), [1]);
    }

    #[test]
    fn a_wildcard_service_belongs_to_a_wildcard_that_contains_it() {
        let index = MeshHosts::new(&services(&[&["*.b.com"], &["*.a.b.com"]]));
        assert_eq!(index.closest("*.a.b.com"), Some(1));
        assert_eq!(index.closest("*.b.com"), Some(0));
    }
}
