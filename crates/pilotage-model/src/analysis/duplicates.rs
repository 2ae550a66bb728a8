//! Objects that are written down more than once (PIL0013).

use std::collections::BTreeMap;

use pilotage_config::object::Object;
use pilotage_config::{Diagnostic, FieldPath, ObjectRef, codes};

use super::Context;

/// An object and the later one of the same kind, namespace and name, which counts.
#[derive(Debug)]
pub(super) struct Duplicate<'a> {
    unused: &'a Object,
    used: &'a Object,
}

/// Objects of which the last of each name is left, and those left out. Order and places of the others stay.
pub(super) fn split<'a>(objects: &[&'a Object]) -> (Vec<&'a Object>, Vec<Duplicate<'a>>) {
    let mut last: BTreeMap<ObjectRef, usize> = BTreeMap::new();
    for (index, object) in objects.iter().enumerate() {
        last.insert(object.reference(), index);
    }
    if last.len() == objects.len() {
        return (objects.to_vec(), Vec::new());
    }
    let (mut kept, mut duplicates) = (Vec::new(), Vec::new());
    for (index, unused) in objects.iter().enumerate() {
        let used = last.get(&unused.reference()).filter(|last| **last != index);
        match used.and_then(|last| objects.get(*last)) {
            Some(used) => duplicates.push(Duplicate { unused, used }),
            None => kept.push(*unused),
        }
    }
    (kept, duplicates)
}

/// One problem for each object that a later one replaces.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let path = FieldPath::from("metadata.name");
    let problems = context.duplicates.iter().map(|Duplicate { unused, used }| {
        let message = format!("{unused} is defined again, and the later definition counts");
        let problem = unused
            .value_diagnostic(codes::PIL0013, &path, message, "not used")
            .help("remove one of the two, or give them different names");
        used.also_value(problem, &path, "this one counts")
    });
    problems.collect()
}
