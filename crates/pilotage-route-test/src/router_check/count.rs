//! Coverage as Envoy's tool counts it: each route, and each cluster of a weighted route by itself, is covered when a test
//! finds something of it to be as expected.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::yaml::{Node, NodeKind};
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;
use pilotage_proto::envoy::config::route::v3::route::Action;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;

use super::Routes;
use super::entry::Entry;
use crate::coverage::{Coverage, CoveredRule};
use crate::report::{Place, Rule};

/// What makes a route covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// Anything that a test found to be as expected.
    #[default]
    Any,
    /// Each kind of expectation is a part: `--covall`.
    All,
}

/// The kinds of expectations that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Cluster,
    VirtualCluster,
    VirtualHost,
    PathRewrite,
    HostRewrite,
    RedirectPath,
    RedirectCode,
}

/// How many kinds of expectations there are for a route that sends requests on, and for one that answers them.
const OF_FORWARDS: usize = 5;
const OF_ANSWERS: usize = 2;

/// A route: virtual host, number, and number of the weighted cluster.
type Key = (String, usize, usize);

/// What was found to be as expected, by route.
#[derive(Debug, Default)]
pub(super) struct Counts {
    fields: BTreeMap<Key, BTreeSet<Field>>,
    tests: BTreeMap<Key, usize>,
}

impl Counts {
    /// A test of what takes the request of `entry` found these to be as expected.
    pub(super) fn add(&mut self, entry: &Entry, fields: &[Field]) {
        let Some(route) = entry.route() else { return };
        let weighted = entry.forwarded().map_or(0, |forwarded| forwarded.weighted_index);
        let key = (route.virtual_host.name.to_string(), route.index, weighted);
        *self.tests.entry(key.clone()).or_default() += usize::from(!fields.is_empty());
        self.fields.entry(key).or_default().extend(fields);
    }

    /// All routes of the configuration.
    pub(super) fn coverage(&self, routes: &Routes, counting: Counting) -> Coverage {
        let mut rules = Vec::new();
        for (h, host) in routes.config.virtual_hosts.iter().enumerate() {
            for (r, route) in host.routes.iter().enumerate() {
                let clusters = weighted_clusters(route.action.as_ref());
                let answers = !matches!(route.action, Some(Action::Route(_)));
                for index in 0..clusters.len().max(1) {
                    let key = (host.name.clone(), r, index);
                    let rule = routes.rule(h, r, clusters.get(index).map(String::as_str));
                    let tests = self.tests.get(&key).copied().unwrap_or(0);
                    let mut covered = CoveredRule::reached(rule, tests);
                    covered.visited = self.tests.contains_key(&key);
                    if counting == Counting::All {
                        let seen = self.fields.get(&key).map_or(0, BTreeSet::len);
                        let of = if answers { OF_ANSWERS } else { OF_FORWARDS };
                        #[expect(clippy::cast_precision_loss, reason = "at most seven")]
                        let share = seen as f64 / of as f64;
                        covered.share = share;
                    }
                    rules.push(covered);
                }
            }
        }
        Coverage { rules }
    }
}

/// Names of the clusters of a weighted route.
fn weighted_clusters(action: Option<&Action>) -> Vec<String> {
    let Some(Action::Route(action)) = action else { return Vec::new() };
    match &action.cluster_specifier {
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            weighted.clusters.iter().map(|cluster| cluster.name.clone()).collect()
        }
        _ => Vec::new(),
    }
}

impl Routes {
    /// Route `r` of virtual host `h`, for people.
    pub(super) fn rule(&self, h: usize, r: usize, cluster: Option<&str>) -> Rule {
        let host = self.config.virtual_hosts.get(h).map_or("", |host| &host.name);
        let route = self.config.virtual_hosts.get(h).and_then(|host| host.routes.get(r));
        let name = route.map_or("", |route| &route.name);
        let mut text = format!("virtual host {host}, routes[{r}]");
        if !name.is_empty() {
            text.push_str(&format!(" `{name}`"));
        }
        if let Some(cluster) = cluster {
            text.push_str(&format!(", cluster {cluster}"));
        }
        let line = self.lines.get(h).and_then(|lines| lines.get(r)).copied().unwrap_or(0);
        Rule { name: text, place: Some(Place { file: self.file.clone(), line }) }
    }

    /// The route that took the request of `entry`.
    pub(super) fn taken_by(&self, entry: &Entry) -> Option<Rule> {
        let route = entry.route()?;
        let named = |host: &str| *host == *route.virtual_host.name;
        let h = self.config.virtual_hosts.iter().position(|host| named(&host.name))?;
        Some(self.rule(h, route.index, None))
    }

    /// The configuration.
    pub(super) fn config(&self) -> &RouteConfiguration {
        &self.config
    }
}

/// The line of each route, by virtual host.
pub(super) fn lines(node: &Node) -> Vec<Vec<u32>> {
    let items = |node: Option<&Node>| match node.map(|node| &node.kind) {
        Some(NodeKind::Seq(items)) => items.clone(),
        _ => Vec::new(),
    };
    let hosts = items(node.get("virtual_hosts").or_else(|| node.get("virtualHosts")));
    let of = |host: &Node| items(host.get("routes")).iter().map(|r| r.span.line).collect();
    hosts.iter().map(of).collect()
}
