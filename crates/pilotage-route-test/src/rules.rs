//! The rules of virtual services: which there are, and which one something compiled comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::{FieldPath, Kind, Object};
use pilotage_engine::route::RouteEntry;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::prost_types::value::Kind as StructKind;

use crate::coverage::{Coverage, CoveredRule};
use crate::report::{Place, Rule};

/// The key of metadata under which origins are.
const FILTER: &str = "pilotage";

/// The rule that a route was compiled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The object: `VirtualService default/reviews`.
    pub(crate) object: String,
    /// The rule in it: `spec.http[0]`.
    pub(crate) path: String,
    /// Object and rule that delegated to it.
    pub(crate) via: Option<(String, String)>,
    /// The name of the rule.
    name: String,
}

impl Origin {
    /// Where `route` comes from; nothing for routes that no rule stands behind.
    pub(crate) fn of(route: &RouteEntry) -> Option<Self> {
        let metadata = route.metadata()?;
        let text = |key| text(&metadata, key);
        let via = text("via").and_then(|via| {
            let (object, path) = via.rsplit_once(' ')?;
            Some((object.to_owned(), rule_path(path).to_owned()))
        });
        let object = text("object").filter(|object| object.starts_with("VirtualService "))?;
        let path = rule_path(&text("path")?).to_owned();
        Some(Self { object, path, via, name: route.name.to_string() })
    }

    /// What tests may call the rule, the usual name last.
    pub(crate) fn names(&self) -> Vec<String> {
        let field = self.path.trim_start_matches("spec.");
        let reference = self.object.split_once(' ').map_or("", |(_, reference)| reference);
        let name = reference.split_once('/').map_or(reference, |(_, name)| name);
        let mut names = vec![field.to_owned(), format!("{name} {field}")];
        names.extend((!self.name.is_empty()).then(|| self.name.clone()));
        names.push(format!("{reference} {field}"));
        names
    }
}

fn text(metadata: &Metadata, key: &str) -> Option<String> {
    match &metadata.filter_metadata.get(FILTER)?.fields.get(key)?.kind {
        Some(StructKind::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

/// The path of the rule, without that of a `match` block.
fn rule_path(path: &str) -> &str {
    path.split_once(".match[").map_or(path, |(rule, _)| rule)
}

/// All HTTP rules of a configuration, and how many tests reached each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    all: Vec<(String, String, Rule)>,
    reached: BTreeMap<(String, String), usize>,
}

impl Rules {
    /// The rules of `objects`, in their order.
    pub(crate) fn of(objects: &[Arc<Object>]) -> Self {
        let mut rules = Self::default();
        for object in objects {
            let Kind::VirtualService(service) = &object.body else { continue };
            let reference = object.reference().to_string();
            for (index, rule) in service.http.iter().enumerate() {
                let path = FieldPath::spec().field("http").index(index);
                let span = object.spans.key(&path).unwrap_or(object.source.span);
                let named = if rule.name.is_empty() {
                    String::new()
                } else {
                    format!(" \"{}\"", rule.name)
                };
                let name = format!("{reference} http[{index}]{named}");
                let place = Some(Place::new(&object.source.file, span));
                rules.all.push((reference.clone(), path.to_string(), Rule { name, place }));
            }
        }
        rules
    }

    /// A test reached the rule of `origin`.
    pub(crate) fn reach(&mut self, origin: &Origin) {
        let own = (origin.object.clone(), origin.path.clone());
        for rule in std::iter::once(own).chain(origin.via.clone()) {
            *self.reached.entry(rule).or_default() += 1;
        }
    }

    /// Whether a test reached the rule at `path` of `object`.
    pub(crate) fn is_reached(&self, object: &str, path: &str) -> bool {
        self.reached.contains_key(&(object.to_owned(), path.to_owned()))
    }

    /// The rule of `origin`, for people.
    pub(crate) fn rule(&self, origin: &Origin) -> Rule {
        let is_it = |(object, path, _): &&(String, String, Rule)| {
            *object == origin.object && *path == origin.path
        };
        match self.all.iter().find(is_it) {
            Some((_, _, rule)) => rule.clone(),
            None => Rule { name: format!("{} {}", origin.object, origin.path), place: None },
        }
    }

    /// How much was reached.
    pub(crate) fn coverage(&self) -> Coverage {
        let covered = self.all.iter().map(|(object, path, rule)| {
            let key = (object.clone(), path.clone());
            CoveredRule::reached(rule.clone(), self.reached.get(&key).copied().unwrap_or(0))
        });
        Coverage { rules: covered.collect() }
    }
}
