//! What objects ask not to be told: the annotation `galley.istio.io/analyze-suppress`.

use std::collections::BTreeMap;

use pilotage_config::object::Object;
use pilotage_config::{Diagnostic, ObjectRef};

/// The annotation that lists codes not to report for an object, `*` meaning all.
const ANNOTATION: &str = "galley.istio.io/analyze-suppress";

/// Takes out of `problems` what the objects they are about do not want to hear of.
pub fn apply(objects: &[&Object], problems: &mut Vec<Diagnostic>) {
    let wishes: BTreeMap<ObjectRef, Vec<&str>> = objects
        .iter()
        .filter_map(|object| {
            let list = object.meta.annotations.get(ANNOTATION)?;
            Some((object.reference(), list.split(',').map(str::trim).collect()))
        })
        .collect();
    let is_unwanted = |problem: &Diagnostic| {
        let codes = problem.object.as_ref().and_then(|object| wishes.get(object));
        codes.is_some_and(|codes| {
            codes.iter().any(|code| *code == "*" || *code == problem.code.id())
        })
    };
    problems.retain(|problem| !is_unwanted(problem));
}
