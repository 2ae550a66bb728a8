//! Diagnostics with the lines they are about.

use std::collections::BTreeMap;

use pilotage_config::Diagnostic;
use pilotage_config::diagnostic::{RenderOptions, Sources};

/// `problem` for people, with colours, which [`print_text`](super::print_text) takes out where they are not wanted.
/// Lines come from `sources`, texts by name.
pub(crate) fn diagnostic(problem: &Diagnostic, sources: &BTreeMap<String, String>) -> String {
    problem.render(&Texts(sources), &RenderOptions { color: true, ..RenderOptions::default() })
}

struct Texts<'a>(&'a BTreeMap<String, String>);

impl Sources for Texts<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
