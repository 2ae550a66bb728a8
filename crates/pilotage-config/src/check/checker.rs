//! Collects what the rules find, and knows where each field stands.

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Severity};
use crate::duration::Duration;
use crate::field_path::FieldPath;
use crate::object::Object;

/// The object under test and the problems found so far.
pub(super) struct Checker<'a> {
    object: &'a Object,
    problems: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(object: &'a Object) -> Self {
        Self { object, problems: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.problems
    }

    /// The namespace of the object.
    pub(super) fn namespace(&self) -> &'a str {
        self.object.namespace()
    }

    /// The name of the object.
    pub(super) fn name(&self) -> &'a str {
        self.object.name()
    }

    /// The field cannot stand as it is: the object is rejected.
    pub(super) fn error(
        &mut self,
        at: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.report(codes::IST0106, Severity::Error, at, message, label);
    }

    /// The field is accepted, and probably not what was meant.
    pub(super) fn warning(
        &mut self,
        at: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.report(codes::IST0133, Severity::Warning, at, message, label);
    }

    /// A problem with a code of its own, in the severity of the code.
    pub(super) fn problem(
        &mut self,
        code: Code,
        at: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.report(code, code.severity(), at, message, label);
    }

    /// Adds a second place to the problem reported last.
    pub(super) fn also_at(&mut self, at: &FieldPath, label: impl Into<String>) {
        let Some(span) = self.object.spans.key(at) else { return };
        if let Some(last) = self.problems.pop() {
            self.problems.push(last.also_at(&self.object.source.file, span, label));
        }
    }

    /// Adds the words of Istio's analyzers for the problem reported last.
    pub(super) fn istio(&mut self, text: impl Into<String>) {
        if let Some(last) = self.problems.pop() {
            self.problems.push(last.istio(text));
        }
    }

    /// Says what to do about the problem reported last.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.problems.pop() {
            self.problems.push(last.help(help));
        }
    }

    /// At least one millisecond and a whole number of them, as Istio asks of nearly every duration.
    pub(super) fn duration(&mut self, at: &FieldPath, value: Option<Duration>) {
        const MILLISECOND_NANOS: i64 = 1_000_000;
        let Some(value) = value else { return };
        if value.as_nanos() < MILLISECOND_NANOS {
            self.error(at, format!("`{at}` has to be at least 1ms"), "too short");
            if value.is_zero() {
                self.help("leave the field out to have no limit");
            }
        } else if value.as_nanos() % MILLISECOND_NANOS != 0 {
            self.error(at, format!("`{at}` can be given to the millisecond only"), "too precise");
        }
    }

    /// Zero or more.
    pub(super) fn not_negative(&mut self, at: &FieldPath, value: i32) {
        if value < 0 {
            self.error(at, format!("`{at}` cannot be negative"), "negative");
        }
    }

    /// A whole percentage from 0 to 100.
    pub(super) fn percent(&mut self, at: &FieldPath, value: i32) {
        if !(0..=100).contains(&value) {
            self.error(at, format!("`{at}` has to be from 0 to 100"), "not a percentage");
        }
    }

    fn report(
        &mut self,
        code: Code,
        severity: Severity,
        at: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        let problem = self.object.diagnostic(code, at, message, label).with_severity(severity);
        self.problems.push(problem);
    }
}
