//! The rules of virtual services: which there are, and which one something compiled comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::virtual_service::HttpRoute;
use pilotage_config::{FieldPath, Kind, Object};
use pilotage_engine::origin::Origin;
use pilotage_engine::route::RouteEntry;

use crate::coverage::{Coverage, CoveredRule};
use crate::report::{Place, Rule};

/// Where the rule of a virtual service that `route` was compiled from is written; nothing for routes that no rule stands
/// behind.
pub(crate) fn origin(route: &RouteEntry) -> Option<Origin> {
    route.origin().filter(|origin| origin.object.starts_with("VirtualService "))
}

/// What tests may call the rule that `route` was compiled from, the usual name last; nothing where there is none.
pub(crate) fn names(route: &RouteEntry) -> Vec<String> {
    let Some(origin) = origin(route) else { return Vec::new() };
    let field = origin.rule().trim_start_matches("spec.");
    let reference = origin.object.split_once(' ').map_or("", |(_, reference)| reference);
    let name = reference.split_once('/').map_or(reference, |(_, name)| name);
    let mut names = vec![field.to_owned(), format!("{name} {field}")];
    names.extend((!route.name.is_empty()).then(|| route.name.to_string()));
    names.push(format!("{reference} {field}"));
    names
}

/// Rule `index` of the object `reference`, for people.
pub(crate) fn title(reference: &str, index: usize, rule: &HttpRoute) -> String {
    if rule.name.is_empty() {
        format!("{reference} http[{index}]")
    } else {
        format!("{reference} http[{index}] \"{}\"", rule.name)
    }
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
                let name = title(&reference, index, rule);
                let place = Some(Place::new(&object.source.file, span));
                rules.all.push((reference.clone(), path.to_string(), Rule { name, place }));
            }
        }
        rules
    }

    /// A test reached the rule of `origin`.
    pub(crate) fn reach(&mut self, origin: &Origin) {
        let own = (origin.object.as_str(), origin.rule());
        for (object, path) in std::iter::once(own).chain(origin.delegating_rule()) {
            *self.reached.entry((object.to_owned(), path.to_owned())).or_default() += 1;
        }
    }

    /// Whether a test reached the rule at `path` of `object`.
    pub(crate) fn is_reached(&self, object: &str, path: &str) -> bool {
        self.reached.contains_key(&(object.to_owned(), path.to_owned()))
    }

    /// The rule of `origin`, for people.
    pub(crate) fn rule(&self, origin: &Origin) -> Rule {
        let is_it = |(object, path, _): &&(String, String, Rule)| {
            *object == origin.object && path == origin.rule()
        };
        match self.all.iter().find(is_it) {
            Some((_, _, rule)) => rule.clone(),
            None => Rule { name: format!("{} {}", origin.object, origin.rule()), place: None },
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
