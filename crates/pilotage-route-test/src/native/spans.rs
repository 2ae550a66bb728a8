//! Places of values that were read from a part of a text.

use pilotage_config::Span;
use pilotage_config::yaml::{Node, NodeKind};

/// Where a part of a text begins in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Bytes before it.
    pub(super) offset: u32,
    /// Its line, from 1.
    pub(super) line: u32,
    /// Its column, from 1.
    pub(super) column: u32,
}

impl Origin {
    /// The place in the whole text of a place in the part.
    pub(super) fn of(self, span: Span) -> Span {
        let same_line = span.line <= 1;
        let column = if same_line { self.column - 1 } else { 0 };
        Span {
            start: self.offset + span.start,
            end: self.offset + span.end,
            line: self.line + span.line.saturating_sub(1),
            column: span.column + column,
        }
    }

    /// Moves all places of `node`.
    pub(super) fn shift(self, node: &mut Node) {
        node.span = self.of(node.span);
        match &mut node.kind {
            NodeKind::Seq(items) => items.iter_mut().for_each(|item| self.shift(item)),
            NodeKind::Map(entries) => {
                for entry in entries {
                    entry.key_span = self.of(entry.key_span);
                    self.shift(&mut entry.value);
                }
            }
            _ => {}
        }
    }
}
