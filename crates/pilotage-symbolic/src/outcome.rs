//! What becomes of the requests of a route, in a form that can be compared and read.

mod cluster;
mod destinations;
mod headers;
mod retries;
mod rewrite;
mod route;

use std::borrow::Cow;
use std::fmt;

use pilotage_engine::origin;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::envoy::config::route::v3::Route;

pub(crate) use self::cluster::{ClusterChanges, cluster_changes, told};
pub(crate) use self::destinations::{Split, short};
pub(crate) use self::retries::RetriesTold;
pub(crate) use self::rewrite::{Agreement, Rewrite};
pub(crate) use self::route::{Levels, no_route, of_route};

/// Object and field that something compiled comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// `Kind namespace/name`.
    pub object: String,
    /// The field, such as `spec.http[0]`; empty for the object as a whole.
    pub path: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path.strip_prefix("spec.").unwrap_or(&self.path))?;
        }
        Ok(())
    }
}

impl Origin {
    /// The origin that `metadata` states, whoever delegated to it.
    pub(crate) fn of(metadata: Option<&Metadata>) -> Option<Self> {
        origin::Origin::of(metadata?).map(Self::from)
    }

    /// The origin of `route`, likewise.
    pub(crate) fn of_route(route: &Route) -> Option<Self> {
        origin::Origin::of_route(&route.metadata).map(Self::from)
    }

    /// The path of the rule, without that of a `match` block.
    #[must_use]
    pub fn rule(&self) -> &str {
        origin::rule_path(&self.path)
    }
}

impl From<origin::Origin> for Origin {
    fn from(origin: origin::Origin) -> Self {
        let origin::Origin { object, path, via: _ } = origin;
        Self { object, path }
    }
}

/// Each of `origins` once, in order.
pub(crate) fn tidy(origins: &mut Vec<Origin>) {
    origins.sort();
    origins.dedup();
}

/// A side of what becomes of a request. The order is that in which people want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facet {
    /// Where the request goes, or how it is answered.
    Destination,
    /// New path or host.
    Rewrite,
    /// Headers that are set, added or removed.
    Headers,
    /// Injected faults.
    Fault,
    /// Time limits.
    Timeout,
    /// Retries.
    Retries,
    /// Copies.
    Mirror,
    /// Cross-origin requests.
    Cors,
    /// What consistent hashing looks at.
    Hash,
    /// Everything else that a route says.
    Other,
    /// Policy and endpoints of a destination.
    Policy,
    /// What the connection manager does to all requests.
    Manager,
}

impl Facet {
    /// Its name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Rewrite => "rewrite",
            Self::Headers => "headers",
            Self::Fault => "fault",
            Self::Timeout => "timeout",
            Self::Retries => "retries",
            Self::Mirror => "mirror",
            Self::Cors => "cors",
            Self::Hash => "hash",
            Self::Other => "other",
            Self::Policy => "destination-policy",
            Self::Manager => "connection-manager",
        }
    }
}

/// One side of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Equal exactly if the same happens.
    pub(crate) key: Cow<'static, str>,
    /// For people.
    pub(crate) text: Cow<'static, str>,
    /// Whether it is what happens anyway, and need not be said beside something else.
    pub(crate) usual: bool,
}

/// What becomes of the requests of one route.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Ordered by facet, each at most once.
    pub(crate) statements: Vec<(Facet, Statement)>,
    /// How the path changes, which depends on what the match took of it.
    pub(crate) rewrite: Option<Rewrite>,
    /// Clusters that may get the request or a copy.
    pub(crate) clusters: Vec<String>,
    /// Whether the request is forwarded.
    pub(crate) forwards: bool,
    pub(crate) origin: Option<Origin>,
}

/// One difference between two outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// In what they differ.
    pub facet: Facet,
    /// What it was.
    pub was: String,
    /// What it becomes.
    pub becomes: String,
    /// Where it is written, before and after, when that is not where the rule is.
    pub places: [Option<Origin>; 2],
}

impl Outcome {
    fn get(&self, facet: Facet) -> Option<&Statement> {
        self.statements.iter().find(|(known, _)| *known == facet).map(|(_, statement)| statement)
    }

    /// In what `self` and `new` differ, for requests that can tell: rewrites of paths are compared by the caller, who
    /// says whether they `rewrite_alike`.
    pub(crate) fn changes(
        &self,
        new: &Self,
        rewrite_alike: bool,
        policies: &ClusterChanges,
    ) -> Vec<Change> {
        let mut facets: Vec<Facet> =
            self.statements.iter().chain(&new.statements).map(|(facet, _)| *facet).collect();
        facets.sort();
        facets.dedup();
        let mut changes = Vec::new();
        for facet in facets {
            let (old, new) = (self.get(facet), new.get(facet));
            let path_differs = facet == Facet::Rewrite && !rewrite_alike;
            if old.map(|s| &s.key) == new.map(|s| &s.key) && !path_differs {
                continue;
            }
            // Beside an answer, what usually happens to forwarded requests is no news.
            let is_news = |one: Option<&Statement>| one.is_some_and(|s| !s.usual);
            if (old.is_none() || new.is_none()) && !is_news(old) && !is_news(new) {
                continue;
            }
            changes.push(change(facet, old, new));
        }
        if self.forwards && new.forwards {
            for cluster in self.clusters.iter().filter(|name| new.clusters.contains(name)) {
                changes.extend(policies.get(cluster).into_iter().flatten().cloned());
            }
        }
        changes
    }

    /// Whether all is the same but for path rewrites, which the caller compares.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let keys = self.statements.iter().zip(&other.statements);
        self.statements.len() == other.statements.len()
            && keys.into_iter().all(|((a, one), (b, two))| a == b && one.key == two.key)
    }
}

fn change(facet: Facet, old: Option<&Statement>, new: Option<&Statement>) -> Change {
    let text = |one: Option<&Statement>| one.map_or("nothing of the kind", |s| &*s.text).to_owned();
    let (mut was, mut becomes) = (text(old), text(new));
    if was == becomes {
        // What is told in short is the same: show all there is.
        let key = |one: Option<&Statement>| one.map_or("nothing".to_owned(), |s| shortened(&s.key));
        (was, becomes) = (key(old), key(new));
    }
    Change { facet, was, becomes, places: [None, None] }
}

/// At most a few lines of `text`.
fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
