//! The objects in force: of each the newest version that was fit for use.
//!
//! A unit (a file) that is loaded again replaces its objects. An object that is not there any more is deleted. An
//! object that is there and broken keeps its last good version, wherever that version was; so does an object that used
//! to stand where a broken one stands now, and, when a part of the text cannot be read at all, every object that the
//! unit had and that is not found in the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use pilotage_config::{Diagnostic, Loaded, Object, ObjectRef};

/// Objects in force, by reference.
pub type Objects = BTreeMap<ObjectRef, Arc<Object>>;

/// Two texts define the same object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The object.
    pub object: ObjectRef,
    /// Where the version stands that counts: the later one, as with `kubectl apply`.
    pub used: Place,
    /// Where the other one stands.
    pub unused: Place,
}

/// A line of a unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file or other unit.
    pub unit: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.unit, self.line)
    }
}

impl Place {
    /// Where `object` begins.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self { unit: Arc::clone(&object.source.file), line: object.source.span.line }
    }
}

/// All units and what they hold.
#[derive(Debug, Default)]
pub struct Store {
    units: BTreeMap<Arc<str>, Unit>,
    effective: Objects,
    /// The effective objects in the order of units and their texts, which stands for age where no object says its own.
    ordered: Vec<Arc<Object>>,
    duplicates: Vec<Duplicate>,
    /// References whose objects came, went or changed since the last settling.
    touched: BTreeSet<ObjectRef>,
}

/// What may have changed: the objects in force of some references, before and now.
#[derive(Debug, Default)]
pub struct Settled {
    /// Those that were in force.
    pub before: Objects,
    /// Those that are.
    pub after: Objects,
}

/// An object and its reference, which is worked out once.
type Held = (ObjectRef, Arc<Object>);

#[derive(Debug, Default)]
struct Unit {
    /// Objects as the text has them now.
    fresh: Vec<Held>,
    /// Last good versions of what the text has broken.
    kept: Vec<Held>,
    problems: Vec<Diagnostic>,
}

impl Store {
    /// Takes over what was loaded for a unit. Call [`Store::settle`] after the last change of a batch.
    pub fn load(&mut self, unit: Arc<str>, loaded: Loaded) {
        let before = self.units.remove(&unit).unwrap_or_default();
        let kept = self.kept(&before, &loaded);
        let fresh = shared(&before.fresh, loaded.objects);
        self.touched.extend(differing(&before.fresh, &fresh));
        let references = before.kept.iter().chain(&kept).map(|(reference, _)| reference.clone());
        self.touched.extend(references);
        self.units.insert(unit, Unit { fresh, kept, problems: loaded.diagnostics });
    }

    /// Forgets a unit and its objects.
    pub fn remove(&mut self, unit: &str) {
        let Some(gone) = self.units.remove(unit) else { return };
        let held = gone.fresh.into_iter().chain(gone.kept);
        self.touched.extend(held.map(|(reference, _)| reference));
    }

    /// Works out which objects are in force after some units changed, and says what may have changed by that.
    pub fn settle(&mut self) -> Settled {
        let touched = std::mem::take(&mut self.touched);
        let wanted: HashSet<&ObjectRef> = touched.iter().collect();
        let mut after = Objects::new();
        let mut duplicates = Vec::new();
        for (reference, object) in self.held(|unit| &unit.fresh, &wanted) {
            if let Some(other) = after.insert(reference.clone(), Arc::clone(object)) {
                let (used, unused) = (Place::of(object), Place::of(&other));
                let object = reference.clone();
                duplicates.push(Duplicate { object, used, unused });
            }
        }
        for (reference, object) in self.held(|unit| &unit.kept, &wanted) {
            after.entry(reference.clone()).or_insert_with(|| Arc::clone(object));
        }
        self.duplicates.retain(|duplicate| !wanted.contains(&duplicate.object));
        self.duplicates.extend(duplicates);
        let mut before = Objects::new();
        for reference in &touched {
            let was = match after.get(reference) {
                Some(object) => self.effective.insert(reference.clone(), Arc::clone(object)),
                None => self.effective.remove(reference),
            };
            before.extend(was.map(|object| (reference.clone(), object)));
        }
        let gone: HashSet<*const Object> = before.values().map(Arc::as_ptr).collect();
        self.ordered.retain(|object| !gone.contains(&Arc::as_ptr(object)));
        self.ordered.extend(after.values().cloned());
        self.ordered.sort_by(|a, b| a.source.cmp(&b.source));
        Settled { before, after }
    }

    /// What units hold of some references.
    fn held<'a>(
        &'a self,
        of: impl Fn(&'a Unit) -> &'a Vec<Held>,
        wanted: &HashSet<&ObjectRef>,
    ) -> Vec<&'a Held> {
        let all = self.units.values().flat_map(of);
        all.filter(|(reference, _)| wanted.contains(reference)).collect()
    }

    /// The objects in force, by reference.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.effective
    }

    /// The objects in force, in the order of units and their texts.
    #[must_use]
    pub fn in_order(&self) -> &[Arc<Object>] {
        &self.ordered
    }

    /// Objects that are defined more than once.
    #[must_use]
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }

    /// The problems of all units, in their order.
    pub fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.units.values().flat_map(|unit| &unit.problems)
    }

    /// The number of units.
    #[must_use]
    pub fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// Objects whose last good version is in force, because the text has them broken.
    pub fn kept_objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.units.values().flat_map(|unit| &unit.kept).filter_map(|(reference, kept)| {
            self.effective.get(reference).filter(|used| Arc::ptr_eq(used, kept))
        })
    }

    /// The last good versions of what `loaded` has broken.
    fn kept(&self, before: &Unit, loaded: &Loaded) -> Vec<Held> {
        let fresh: BTreeSet<ObjectRef> = loaded.objects.iter().map(Object::reference).collect();
        let broken: BTreeSet<ObjectRef> = loaded.broken.iter().map(Object::reference).collect();
        let unreadable = loaded.diagnostics.iter().any(|problem| {
            problem.is_error()
                && problem.object.as_ref().is_none_or(|object| !broken.contains(object))
        });
        let stands_broken = |object: &Object| {
            let place = |object: &Object| (object.source.document, object.source.item);
            loaded
                .broken
                .iter()
                .any(|broken| place(broken) == place(object) && broken.kind == object.kind)
        };
        let had = before.fresh.iter().chain(&before.kept);
        let mut kept: Vec<Held> = had
            .filter(|(reference, _)| !fresh.contains(reference))
            .filter(|(reference, object)| {
                unreadable || broken.contains(reference) || stands_broken(object)
            })
            .cloned()
            .collect();
        // Broken while it moved here from another unit.
        for reference in broken.difference(&fresh) {
            if !kept.iter().any(|(known, _)| known == reference)
                && let Some(object) = self.effective.get(reference)
            {
                kept.push((reference.clone(), Arc::clone(object)));
            }
        }
        kept
    }
}

/// The objects of a unit. One that is the same as before is the very same; one that only stands elsewhere shares what
/// it says.
fn shared(before: &[Held], objects: Vec<Object>) -> Vec<Held> {
    let known: HashMap<&ObjectRef, &Arc<Object>> =
        before.iter().map(|(reference, object)| (reference, object)).collect();
    let share = |mut object: Object| {
        let reference = object.reference();
        let object = match known.get(&reference) {
            Some(known) if ***known == object => Arc::clone(known),
            Some(known) if known.body == object.body => {
                object.body = known.body.clone();
                Arc::new(object)
            }
            _ => Arc::new(object),
        };
        (reference, object)
    };
    objects.into_iter().map(share).collect()
}

/// The references whose objects are not the very same in both.
fn differing(before: &[Held], after: &[Held]) -> BTreeSet<ObjectRef> {
    let objects = |held: &[Held]| -> HashSet<*const Object> {
        held.iter().map(|(_, object)| Arc::as_ptr(object)).collect()
    };
    let (old, new) = (objects(before), objects(after));
    let gone = before.iter().filter(|(_, object)| !new.contains(&Arc::as_ptr(object)));
    let come = after.iter().filter(|(_, object)| !old.contains(&Arc::as_ptr(object)));
    gone.chain(come).map(|(reference, _)| reference.clone()).collect()
}

#[cfg(test)]
mod tests;
