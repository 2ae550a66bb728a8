//! Text that is made line by line.

use std::fmt::{Arguments, Write};

/// Appends a line.
pub(crate) fn line(out: &mut String, text: Arguments<'_>) {
    let written = writeln!(out, "{text}");
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}
