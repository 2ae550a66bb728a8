//! Which proxies are compared, and what each of them finds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::Object;
use pilotage_control::identities::Identities;
use pilotage_model::{ProxyClass, ProxyKind};
use pilotage_symbolic::{Difference, difference_up_to};

use super::proxy_tables::ProxyTables;
use super::sides::{Content, Side};

/// Sidecars that are asked besides the one in `default`, at most.
const MOST_NAMESPACES: usize = 12;

/// What changes for one proxy.
#[derive(Debug)]
pub(super) struct ViewDifference {
    /// Which proxy, for people.
    pub(super) name: String,
    pub(super) difference: Difference,
    /// What the engine refused of the proxy's resources, on either side: it takes no part.
    pub(super) refused: Vec<String>,
}

/// What changes for `who`; when `anybody` may ask, for a sidecar in each namespace whose objects change, and for every
/// gateway. With the namespaces that were left out, as there are too many. Of each, `most` kinds of changes are kept at
/// most.
pub(super) fn differences(
    old: &Side,
    new: &Side,
    who: &ProxyClass,
    anybody: bool,
    most: usize,
) -> (Vec<ViewDifference>, Vec<String>) {
    let (views, unseen) = match anybody {
        true => all(old, new, who),
        false => (vec![(named(who), [who.clone(), who.clone()])], Vec::new()),
    };
    // The first sees most, so it is the last that is compared.
    let mut found: Vec<ViewDifference> = Vec::with_capacity(views.len());
    let count = views.len();
    for (name, [before, after]) in views.into_iter().rev() {
        let who = (&*name, [&before, &after]);
        let ProxyTables { old, new, refused } = ProxyTables::of(old, new, who);
        let difference = difference_up_to(&old, &new, most);
        found.push(ViewDifference { name, difference, refused });
        if found.len() == count {
            // The process ends soon. To take the tables of a large mesh apart first would be a tenth of its time.
            std::mem::forget((old, new));
        }
    }
    found.reverse();
    (found, unseen)
}

fn named(who: &ProxyClass) -> String {
    match who.kind {
        ProxyKind::Sidecar => "sidecar".to_owned(),
        ProxyKind::Gateway => "gateway".to_owned(),
    }
}

/// A proxy, as it is on both sides.
type Proxy = (String, [ProxyClass; 2]);

/// Proxies by name, and namespaces without one that should have had one.
fn all(old: &Side, new: &Side, who: &ProxyClass) -> (Vec<Proxy>, Vec<String>) {
    let mut views = vec![("sidecar".to_owned(), [who.clone(), who.clone()])];
    let mut unseen = Vec::new();
    let live = [old, new].iter().any(|side| matches!(side.content, Content::Running(_)));
    if !live {
        for namespace in changed_namespaces(old, new) {
            if *namespace == *who.namespace {
                continue;
            }
            if views.len() > MOST_NAMESPACES {
                unseen.push(namespace);
                continue;
            }
            let there = ProxyClass { namespace: (&*namespace).into(), ..who.clone() };
            views.push((format!("sidecar in {namespace}"), [there.clone(), there]));
        }
    }
    let [before, after] = [old, new].map(gateways);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let found = |side: &BTreeMap<String, ProxyClass>| side.get(name).cloned();
        let (first, second) = (found(&before), found(&after));
        let Some(any) = first.clone().or(second.clone()) else { continue };
        let either = [first.unwrap_or_else(|| any.clone()), second.unwrap_or(any)];
        views.push((name.clone(), either));
    }
    (views, unseen)
}

fn gateways(side: &Side) -> BTreeMap<String, ProxyClass> {
    match &side.content {
        Content::Objects { snapshot, .. } => {
            let identities = Identities { sidecar: None, gateways: true };
            let all = identities.proxies(snapshot).into_iter();
            all.map(|(id, class)| (id.to_string(), class)).collect()
        }
        Content::Running(all) => all
            .iter()
            .filter(|(name, _)| name.starts_with("gateway"))
            .map(|(name, _)| {
                (name.clone(), ProxyClass { kind: ProxyKind::Gateway, ..ProxyClass::default() })
            })
            .collect(),
    }
}

/// The namespaces in which an object is new, gone or another one.
fn changed_namespaces(old: &Side, new: &Side) -> BTreeSet<String> {
    let [before, after] = [old, new].map(objects);
    let mut changed = BTreeSet::new();
    for (one, other) in [(&before, &after), (&after, &before)] {
        for (key, object) in one {
            if other.get(key).is_none_or(|other| other.body != object.body) {
                changed.insert(object.namespace().to_owned());
            }
        }
    }
    changed.retain(|namespace| !namespace.is_empty());
    changed
}

fn objects(side: &Side) -> BTreeMap<String, &Arc<Object>> {
    match &side.content {
        Content::Objects { configuration, .. } => {
            configuration.objects.iter().map(|object| (object.to_string(), object)).collect()
        }
        Content::Running(_) => BTreeMap::new(),
    }
}
