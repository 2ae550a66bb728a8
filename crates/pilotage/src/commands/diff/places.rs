//! From what a change comes from to the line where it is written.

use std::collections::HashSet;

use pilotage_config::FieldPath;
use pilotage_symbolic::{Change, Facet, Origin};

use super::sides::Side;

/// `file:line` of what `facet` of the rule at `origin` says.
pub(super) fn line(side: &Side, origin: &Origin, facet: Facet) -> Option<String> {
    if side.is_running() {
        return Some(origin.to_string());
    }
    let object = side.written(&origin.object)?;
    let written =
        field(facet).map(|field| FieldPath::from(format!("{}.{field}", origin.rule()).as_str()));
    let written = written.filter(|path| object.spans.get(path).is_some());
    let path = written.unwrap_or_else(|| FieldPath::from(&*origin.path));
    let line = object.spans.key(&path).map_or(object.line, |span| span.line);
    Some(format!("{}:{line}", object.file))
}

/// The field of a rule that says it.
fn field(facet: Facet) -> Option<&'static str> {
    Some(match facet {
        Facet::Rewrite => "rewrite",
        Facet::Headers => "headers",
        Facet::Fault => "fault",
        Facet::Timeout => "timeout",
        Facet::Retries => "retries",
        Facet::Mirror => "mirror",
        Facet::Cors => "corsPolicy",
        Facet::Destination | Facet::Hash | Facet::Other | Facet::Policy | Facet::Manager => {
            return None;
        }
    })
}

/// The lines of one side of `change`, whose rules are at `origins`.
pub(super) fn lines(side: &Side, is_new: bool, change: &Change, origins: &[Origin]) -> Vec<String> {
    let [was, becomes] = &change.places;
    let own = if is_new { becomes } else { was };
    let own: Vec<Origin> = own.iter().cloned().collect();
    let origins = if change.facet == Facet::Policy { &own } else { origins };
    let mut known = HashSet::new();
    let lines = origins.iter().filter_map(|origin| line(side, origin, change.facet));
    lines.filter(|line| known.insert(line.clone())).collect()
}
