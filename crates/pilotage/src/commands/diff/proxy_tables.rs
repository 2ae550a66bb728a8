//! The tables that one proxy has on both sides.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

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
    view: Arc<ProxyView>,
    resources: ResourceSet,
}

impl ProxyTables {
    /// The tables of the proxy `who` on both sides, or of the running one called `name`. What is the same on both sides
    /// is made once.
    pub(super) fn of(
        before: &Side,
        after: &Side,
        (name, [old_class, new_class]): (&str, [&ProxyClass; 2]),
    ) -> Self {
        let first = compiled(before, old_class, None);
        let old = || first.as_ref().map(|first| simulation::tables(&first.resources));
        let new = || compiled(after, new_class, first.as_ref());
        let (old, second) = both(old, new);
        let mut refused = Vec::new();
        let old = match old {
            Some((tables, rejections)) => {
                refused.extend(told(before, &rejections));
                tables
            }
            None => running(before, name),
        };
        let new = match second {
            Some(Compiled { resources, .. }) => {
                let after_old = simulation::next_tables(&old, &resources, &LiveState::new());
                // What is refused stays what it was, which here would be that of the other side.
                let (tables, rejections) = match after_old.1.iter().any(is_refusal) {
                    true => simulation::tables(&resources),
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
    let Content::Objects { snapshot, .. } = &side.content else { return None };
    let known = before.map(|one| Previous { view: &one.view, resources: &one.resources });
    let view = pilotage_model::view_after(known.map(|known| known.view), snapshot, who);
    let resources = match known {
        Some(known) => pilotage_compile::resources_after(known, &view),
        None => pilotage_compile::resources(&view),
    };
    Some(Compiled { view, resources })
}

/// What both questions come to, which are asked at the same time where there is a thread for one of them.
fn both<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, &one);
        let there = other();
        let here = match beside.map(ScopedJoinHandle::join) {
            Ok(Ok(found)) => found,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => one(),
        };
        (here, there)
    })
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
