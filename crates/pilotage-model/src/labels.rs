//! Labels and selectors of them.

use std::collections::BTreeMap;

use pilotage_config::selector::{LabelSelector, LabelSelectorRequirement};

/// Labels of a workload, or conditions on them.
pub type Labels = BTreeMap<String, String>;

/// Whether `labels` has every entry of `selector`.
#[must_use]
pub fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether labels satisfy a Kubernetes selector.
#[must_use]
pub fn satisfy(labels: &Labels, selector: &LabelSelector) -> bool {
    let holds = |condition: &LabelSelectorRequirement| {
        let value = labels.get(&condition.key);
        let among = value.is_some_and(|value| condition.values.contains(value));
        match condition.operator.as_str() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // Unknown operators select nothing, as in Kubernetes, which rejects them.
            _ => false,
        }
    };
    selects(&selector.match_labels, labels) && selector.match_expressions.iter().all(holds)
}

/// A selector as Kubernetes' tools write it: `app=web,tier=front`.
#[must_use]
pub fn selector_text(selector: &Labels) -> String {
    let pairs = selector.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// Things with labels, found by selectors.
#[derive(Debug)]
pub(crate) struct Labelled<'a, T> {
    all: Vec<(&'a Labels, T)>,
    /// Positions in `all`, in order.
    by_label: BTreeMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a, T> Labelled<'a, T> {
    pub(crate) fn new(all: impl IntoIterator<Item = (&'a Labels, T)>) -> Self {
        let all: Vec<(&Labels, T)> = all.into_iter().collect();
        let mut by_label: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (position, (labels, _)) in all.iter().enumerate() {
            for (key, value) in *labels {
                by_label.entry((key.as_str(), value.as_str())).or_default().push(position);
            }
        }
        Self { all, by_label }
    }

    /// Those that `selector` selects, in their order. Of its rarest label there are the fewest to look at.
    pub(crate) fn selected_by<'s>(&'s self, selector: &'s Labels) -> impl Iterator<Item = &'s T> {
        let with = |(key, value): (&'s String, &'s String)| {
            self.by_label
                .get(&(key.as_str(), value.as_str()))
                .map(Vec::as_slice)
                .unwrap_or_default()
        };
        let rarest = selector.iter().map(with).min_by_key(|positions| positions.len());
        let (some, every) = match rarest {
            Some(positions) => (positions, [].as_slice()),
            None => ([].as_slice(), self.all.as_slice()),
        };
        let some = some.iter().filter_map(|position| self.all.get(*position));
        let selected = some.chain(every).filter(|(labels, _)| selects(selector, labels));
        selected.map(|(_, thing)| thing)
    }
}

/// A position, a selector and the thing that has it.
type Asking<'a, T> = (usize, &'a Labels, T);

/// Things with selectors that are not empty, found by labels within a scope, such as a namespace.
#[derive(Debug)]
pub(crate) struct Selectors<'a, T> {
    /// By the first label that is asked for. With each its position, as the order is that of the things.
    by_label: BTreeMap<(&'a str, &'a str, &'a str), Vec<Asking<'a, T>>>,
}

impl<'a, T> Selectors<'a, T> {
    /// Each with its scope and selector.
    pub(crate) fn new(all: impl IntoIterator<Item = (&'a str, &'a Labels, T)>) -> Self {
        let mut by_label: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (position, (scope, selector, thing)) in all.into_iter().enumerate() {
            if let Some((key, value)) = selector.first_key_value() {
                let place = by_label.entry((scope, key.as_str(), value.as_str())).or_default();
                place.push((position, selector, thing));
            }
        }
        Self { by_label }
    }

    /// Those of `scope` that select `labels`, in their order.
    pub(crate) fn selecting<'s>(&'s self, scope: &'s str, labels: &'s Labels) -> Vec<&'s T> {
        let mut found = Vec::new();
        for (key, value) in labels {
            let asking = self.by_label.get(&(scope, key.as_str(), value.as_str()));
            let asking = asking.into_iter().flatten();
            found.extend(asking.filter(|(_, selector, _)| selects(selector, labels)));
        }
        found.sort_by_key(|(position, ..)| *position);
        found.into_iter().map(|(.., thing)| thing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn things_are_found_by_selectors_and_selectors_by_labels() {
        let all = ["app=a,v=1", "app=b", "app=a,v=2", ""].map(labels);
        let things = Labelled::new(all.iter().zip(0..));
        let by = |selector| things.selected_by(&labels(selector)).copied().collect::<Vec<_>>();
        assert_eq!(by("app=a"), [0, 2]);
        assert_eq!(by("app=a,v=2"), [2]);
        assert_eq!(by("app=c"), Vec::<i32>::new());
        assert_eq!(by(""), [0, 1, 2, 3]);
        let selectors = Selectors::new(all.iter().zip(0..).map(|(of, thing)| ("x", of, thing)));
        assert_eq!(selectors.selecting("x", &labels("app=a,tier=web,v=2")), [&2]);
        assert_eq!(selectors.selecting("x", &labels("app=b,v=1")), [&1]);
        assert_eq!(selectors.selecting("y", &labels("app=b")), Vec::<&i32>::new());
    }
}
