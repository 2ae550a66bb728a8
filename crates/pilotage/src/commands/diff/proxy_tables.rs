//! The tables that one proxy has on both sides.

use std::sync::Arc;

use pilotage_compile::Previous;
use pilotage_engine::{LiveState, Rejection, Severity, Tables};
use pilotage_explain::simulation;
use pilotage_model::{ProxyClass, ProxyView};
use pilotage_proto::ResourceSet;

use super::sides::{Content, Side};

/// A proxy before and after.
pub(super) struct ProxyTables {
    pub(super) old: Arc<Tables>,
    pub(super) new: Arc<Tables>,
    /// What the engine refused on either side.
    pub(super) refused: Vec<String>,
}

/// What the resources of a proxy are made of, and they themselves.
struct Compiled {
    view: Option<Arc<ProxyView>>,
    resources: ResourceSet,
}

impl ProxyTables {
    /// The tables of the proxy `who` on both sides, or of the running one called `name`. What is the same on both sides
    /// is made once. If `is_last`, the sides forget what tables are made of as soon as they can: one of a large mesh
    /// takes about as much memory as its resources.
    pub(super) fn of(
        before: &mut Side,
        after: &mut Side,
        (name, [old_class, new_class]): (&str, [&ProxyClass; 2]),
        is_last: bool,
    ) -> Self {
        let mut first = compiled(before, old_class, None);
        if is_last {
            before.forget_objects();
            first.iter_mut().for_each(|first| first.view = None);
        }
        let second = compiled(after, new_class, first.as_ref()).map(|second| second.resources);
        if is_last {
            after.forget_objects();
        }
        let first = first.map(|first| first.resources);
        let mut refused = Vec::new();
        let old = match &first {
            Some(resources) => {
                let (tables, rejections) = simulation::tables(resources);
                refused.extend(told(before, &rejections));
                tables
            }
            None => running(before, name),
        };
        let new = match &second {
            Some(resources) => {
                let after_old = simulation::next_tables(&old, resources, &LiveState::new());
                // What is refused stays what it was, which here would be that of the other side.
                let (tables, rejections) = match after_old.1.iter().any(is_refusal) {
                    true => simulation::tables(resources),
                    false => after_old,
                };
                refused.extend(told(after, &rejections));
                tables
            }
            None => running(after, name),
        };
        Self { old, new, refused }
    }
}

fn compiled(side: &Side, who: &ProxyClass, before: Option<&Compiled>) -> Option<Compiled> {
    let Content::Objects { snapshot: Some(snapshot), .. } = &side.content else { return None };
    let known = before
        .and_then(|one| Some(Previous { view: one.view.as_deref()?, resources: &one.resources }));
    let view = pilotage_model::view_after(known.map(|known| known.view), snapshot, who);
    let resources = match known {
        Some(known) => pilotage_compile::resources_after(known, &view),
        None => pilotage_compile::resources(&view),
    };
    Some(Compiled { view: Some(view), resources })
}

fn running(side: &Side, name: &str) -> Arc<Tables> {
    let Content::Running(all) = &side.content else { return Tables::empty() };
    let found = all.iter().find(|(known, _)| known == name);
    found.map_or_else(Tables::empty, |(_, tables)| Arc::clone(tables))
}

fn is_refusal(rejection: &Rejection) -> bool {
    rejection.severity == Severity::Rejected
}

fn told(side: &Side, rejections: &[Rejection]) -> impl Iterator<Item = String> {
    let refusals = rejections.iter().filter(|one| is_refusal(one));
    refusals.map(move |refusal| format!("{}: {refusal}", side.name))
}
