//! From what a change comes from to the line where it is written.

use std::collections::HashSet;
use std::fmt;

use pilotage_config::FieldPath;
use pilotage_symbolic::{Change, Facet, Origin};

use super::sides::Side;

/// Where something is written. Written out only when it is told, as a change may come from very many places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line<'a> {
    /// In a file.
    Of(&'a str, u32),
    /// In an object of a running program, of which no file is known.
    Running(&'a Origin),
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(file, line) => write!(f, "{file}:{line}"),
            Self::Running(origin) => origin.fmt(f),
        }
    }
}

/// Where `facet` of the rule at `origin` is written.
fn line<'a>(side: &'a Side, origin: &'a Origin, facet: Facet) -> Option<Line<'a>> {
    if side.is_running() {
        return Some(Line::Running(origin));
    }
    let object = side.written(&origin.object)?;
    let written =
        field(facet).map(|field| FieldPath::from(format!("{}.{field}", origin.rule()).as_str()));
    let written = written.filter(|path| object.spans.get(path).is_some());
    let path = written.unwrap_or_else(|| FieldPath::from(&*origin.path));
    let line = object.spans.key(&path).map_or(object.line, |span| span.line);
    Some(Line::Of(&object.file, line))
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
pub(super) fn lines<'a>(
    side: &'a Side,
    is_new: bool,
    change: &'a Change,
    origins: &'a [Origin],
) -> Vec<Line<'a>> {
    let [was, becomes] = &change.places;
    let own = if is_new { becomes } else { was };
    let origins = if change.facet == Facet::Policy { own.as_slice() } else { origins };
    let mut known = HashSet::new();
    let lines = origins.iter().filter_map(|origin| line(side, origin, change.facet));
    lines.filter(|line| known.insert(*line)).collect()
}
