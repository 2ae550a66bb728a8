//! What changed between two generations, in a line for people.

use std::fmt;
use std::sync::Arc;

use pilotage_config::virtual_service::{HttpRoute, HttpRouteDestination, VirtualService};
use pilotage_config::{FieldPath, Kind, Object, ObjectRef};

use crate::store::{Objects, Place};

/// How many changes a line names before it only counts.
const NAMED: usize = 3;

/// What changed between two generations. Its text is one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Every change, by object.
    pub changes: Vec<ObjectChange>,
}

/// What happened to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    /// The object.
    pub object: ObjectRef,
    /// What happened.
    pub what: What,
    /// Where to look; for a deleted object, where it stood.
    pub place: Place,
}

/// What can happen to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Added,
    /// It was deleted.
    Removed,
    /// Only the weights of one rule changed.
    Weights {
        /// The rule, counted from 0.
        rule: usize,
        /// The destinations whose weight changed.
        shifts: Vec<Shift>,
    },
    /// Only these HTTP rules changed, counted from 0.
    Rules(Vec<usize>),
    /// Something else in it changed.
    Changed,
}

/// A destination's weight before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The subset, or the host when no subset is named.
    pub destination: String,
    /// The weight before.
    pub from: i32,
    /// The weight after.
    pub to: i32,
}

impl Summary {
    /// Compares the objects of two generations. Comments, layout and the bookkeeping of tools are no change.
    #[must_use]
    pub fn between(before: &Objects, after: &Objects) -> Self {
        let mut changes = Vec::new();
        for (reference, object) in after {
            let what = match before.get(reference) {
                None => Some((What::Added, Place::of(object))),
                Some(old) if Arc::ptr_eq(old, object) || same(old, object) => None,
                Some(old) => Some(difference(old, object)),
            };
            changes.extend(what.map(|(what, place)| ObjectChange {
                object: reference.clone(),
                what,
                place,
            }));
        }
        for (reference, object) in
            before.iter().filter(|(reference, _)| !after.contains_key(reference))
        {
            changes.push(ObjectChange {
                object: reference.clone(),
                what: What::Removed,
                place: Place::of(object),
            });
        }
        Self { changes }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Whether two versions mean the same to traffic.
fn same(a: &Object, b: &Object) -> bool {
    a.body == b.body
        && a.meta.labels == b.meta.labels
        && a.meta.annotations == b.meta.annotations
        && a.meta.creation_timestamp == b.meta.creation_timestamp
        && a.meta.deletion_timestamp == b.meta.deletion_timestamp
}

fn difference(old: &Object, new: &Object) -> (What, Place) {
    let changed = (What::Changed, Place::of(new));
    let (Kind::VirtualService(was), Kind::VirtualService(is)) = (&old.body, &new.body) else {
        return changed;
    };
    let rules = changed_rules(was, is);
    let Some(first) = rules.first().copied() else { return changed };
    let rule = FieldPath::spec().field("http").index(first);
    if let [only] = rules[..]
        && let Some((at, shifts)) =
            was.http.get(only).zip(is.http.get(only)).and_then(|(was, is)| shifts(was, is))
    {
        let weight = rule.field("route").index(at).field("weight");
        return (What::Weights { rule: only, shifts }, place(new, &weight));
    }
    (What::Rules(rules), place(new, &rule))
}

/// The HTTP rules that differ, or nothing when something else differs too.
fn changed_rules(was: &VirtualService, is: &VirtualService) -> Vec<usize> {
    let without_rules =
        |service: &VirtualService| VirtualService { http: Vec::new(), ..service.clone() };
    if was.http.len() != is.http.len() || without_rules(was) != without_rules(is) {
        return Vec::new();
    }
    let pairs = was.http.iter().zip(&is.http).enumerate();
    pairs.filter(|(_, (was, is))| was != is).map(|(index, _)| index).collect()
}

/// The weights that differ and the first destination with one, or nothing when something else differs too.
fn shifts(was: &HttpRoute, is: &HttpRoute) -> Option<(usize, Vec<Shift>)> {
    let without_route = |rule: &HttpRoute| HttpRoute { route: Vec::new(), ..rule.clone() };
    let without_weight =
        |to: &HttpRouteDestination| HttpRouteDestination { weight: 0, ..to.clone() };
    let comparable = was.route.len() == is.route.len() && without_route(was) == without_route(is);
    let mut pairs = was.route.iter().zip(&is.route);
    if !comparable || !pairs.clone().all(|(was, is)| without_weight(was) == without_weight(is)) {
        return None;
    }
    let first = pairs.clone().position(|(was, is)| was.weight != is.weight)?;
    let shift = |(was, is): (&HttpRouteDestination, &HttpRouteDestination)| {
        (was.weight != is.weight).then(|| Shift {
            destination: label(is),
            from: was.weight,
            to: is.weight,
        })
    };
    Some((first, pairs.by_ref().filter_map(shift).collect()))
}

fn label(to: &HttpRouteDestination) -> String {
    match &to.destination {
        Some(destination) if !destination.subset.is_empty() => destination.subset.clone(),
        Some(destination) => destination.host.clone(),
        None => "nowhere".to_owned(),
    }
}

fn place(object: &Object, path: &FieldPath) -> Place {
    let line = object.spans.key(path).map_or(object.source.span.line, |span| span.line);
    Place { unit: Arc::clone(&object.source.file), line }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.len() > NAMED {
            let count =
                |wanted: fn(&What) -> bool| self.changes.iter().filter(|c| wanted(&c.what)).count();
            let (added, removed) = (count(|w| *w == What::Added), count(|w| *w == What::Removed));
            let changed = self.changes.len() - added - removed;
            let parts = [(added, "added"), (changed, "changed"), (removed, "removed")];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, word)| format!("{n} {word}"))
                .collect();
            return write!(f, "{} objects: {}", self.changes.len(), parts.join(", "));
        }
        for (index, change) in self.changes.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{change}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, what, place } = self;
        match what {
            What::Added => write!(f, "{object} added ({place})"),
            What::Removed => write!(f, "{object} removed"),
            What::Weights { rule, shifts } => {
                let shifts: Vec<String> = shifts.iter().map(ToString::to_string).collect();
                write!(f, "{} http[{rule}] weights {} ({place})", object.name, shifts.join(", "))
            }
            What::Rules(rules) => {
                let rules: Vec<String> = rules.iter().map(|rule| format!("http[{rule}]")).collect();
                write!(f, "{} {} changed ({place})", object.name, rules.join(", "))
            }
            What::Changed => write!(f, "{object} changed ({place})"),
        }
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}→{}", self.destination, self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIEWS: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
      weight: 80
    - destination: {host: reviews, subset: v2}
      weight: 20
  - timeout: 1s
    route:
    - destination: {host: reviews}
";

    fn objects(text: &str) -> Objects {
        let loaded = pilotage_config::load("reviews.yaml", text);
        assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
        loaded.objects.into_iter().map(|object| (object.reference(), Arc::new(object))).collect()
    }

    fn summary(before: &str, after: &str) -> String {
        Summary::between(&objects(before), &objects(after)).to_string()
    }

    #[test]
    fn shifted_weights_are_told_with_their_line() {
        let after = REVIEWS.replace("80", "50").replace("weight: 20", "weight: 50");
        assert_eq!(
            summary(REVIEWS, &after),
            "reviews http[0] weights v1 80→50, v2 20→50 (reviews.yaml:10)"
        );
    }

    #[test]
    fn other_changes_are_told_by_rule_or_object() {
        let timeout = REVIEWS.replace("1s", "2s");
        assert_eq!(summary(REVIEWS, &timeout), "reviews http[1] changed (reviews.yaml:13)");
        let hosts = REVIEWS.replace("[reviews]", "[reviews, other]");
        assert_eq!(
            summary(REVIEWS, &hosts),
            "VirtualService default/reviews changed (reviews.yaml:1)"
        );
        assert_eq!(summary("", REVIEWS), "VirtualService default/reviews added (reviews.yaml:1)");
        assert_eq!(summary(REVIEWS, ""), "VirtualService default/reviews removed");
    }

    #[test]
    fn comments_and_layout_are_no_change() {
        assert_eq!(summary(REVIEWS, &format!("# new\n\n{REVIEWS}")), "");
    }

    #[test]
    fn many_changes_are_counted() {
        let many: String = (0..9)
            .map(|i| format!("---\n{}", REVIEWS.replace("name: reviews", &format!("name: r{i}"))))
            .collect();
        assert_eq!(summary(REVIEWS, &many), "10 objects: 9 added, 1 removed");
    }
}
