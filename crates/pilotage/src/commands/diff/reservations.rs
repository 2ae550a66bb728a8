//! What keeps an answer from being a proof, and what had to be assumed for it.

use pilotage_config::Diagnostic;
use serde_json::{Value, json};

use super::Answer;
use super::sides::Side;

/// A file or object that takes no part in the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) file: String,
    /// The object, if that much could be read.
    pub(super) object: Option<String>,
    /// The first thing that is wrong with it.
    pub(super) why: String,
}

/// What could not be used of `side`.
pub(super) fn left_out(side: &Side) -> Vec<LeftOut> {
    let mut all: Vec<LeftOut> = Vec::new();
    for problem in side.problems() {
        let found = of(problem);
        if !all.iter().any(|known| known.file == found.file && known.object == found.object) {
            all.push(found);
        }
    }
    all
}

fn of(problem: &Diagnostic) -> LeftOut {
    LeftOut {
        file: problem.primary.as_ref().map_or_else(String::new, |label| label.source.to_string()),
        object: problem.object.as_ref().map(ToString::to_string),
        why: problem.message.clone(),
    }
}

impl Answer<'_> {
    /// Whether what is not told of is proved to be the same.
    pub(super) fn is_proved(&self) -> bool {
        self.reservations().is_empty()
            && self.found().all(|found| {
                found.undecided.is_empty()
                    && found.unfinished.is_empty()
                    && found.undecided_connections.is_empty()
                    && found.mistakes.is_empty()
            })
    }

    /// Why the answer holds for a part of what was asked only, a line each.
    pub(super) fn reservations(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for one in self.left_out.iter() {
            let of_object = one.object.iter().map(|object| format!("{object} in "));
            let what = format!("{}{}", of_object.collect::<String>(), one.file);
            let line = format!("left out, as it cannot be used: {what}: {}", one.why);
            // Both sides may have it.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        for view in &self.views {
            let refused = view.refused.iter();
            lines.extend(refused.map(|what| format!("left out, as the proxy refuses it: {what}")));
        }
        if !self.unseen.is_empty() {
            lines.push(format!("not looked at from sidecars in {}", self.unseen.join(", ")));
        }
        lines
    }

    /// What is taken to be so because nothing says otherwise, a line each.
    pub(super) fn assumptions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.assumes_port_80 {
            lines.push("HTTP at port 80, as neither side has a service".to_owned());
        }
        if self.found().any(|found| found.looks_at_metadata) {
            lines.push("requests without claims, as no tokens are read here".to_owned());
        }
        lines
    }

    /// The same for programs.
    pub(super) fn left_out_json(&self) -> Vec<Value> {
        let all = self.left_out.iter();
        let value =
            |one: &LeftOut| json!({"file": one.file, "object": one.object, "message": one.why});
        all.map(value).collect()
    }
}
