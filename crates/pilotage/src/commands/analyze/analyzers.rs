//! The one list of analyzers: those of single objects, which loading runs, and those of several.
//!
//! What else finds problems in configuration belongs here: [`Chosen::run`] is the only place that calls analyzers.

use std::collections::BTreeMap;

use pilotage_config::{Diagnostic, KindName, Timestamp, codes};
use pilotage_model::analysis::{ANALYZERS, Context, suppression};

use super::unreached_rules;
use crate::inputs::Configuration;

/// The analyzer that reports deprecated fields.
const DEPRECATION: &str = "deprecation.DeprecationAnalyzer";
/// What the names of analyzers for the rules of one kind begin with.
const VALIDATION: &str = "schema.ValidationAnalyzer.";

/// All names with what the analyzer does, in order.
fn all() -> BTreeMap<String, String> {
    let several = ANALYZERS.iter().map(|a| (a.name.to_owned(), a.description.to_owned()));
    let single = KindName::ALL.iter().filter(|kind| kind.is_istio()).map(|kind| {
        (
            format!("{VALIDATION}{kind}"),
            format!("Checks the rules that a {kind} can break by itself"),
        )
    });
    let deprecated = (DEPRECATION.to_owned(), "Checks for deprecated fields".to_owned());
    let unreached = (unreached_rules::NAME.to_owned(), unreached_rules::DESCRIPTION.to_owned());
    several.chain(single).chain([deprecated, unreached]).collect()
}

/// The list for people, in istioctl's form.
pub(super) fn list() -> String {
    let entries = all();
    let entries = entries.iter().map(|(name, does)| format!("* {name}:\n    {does}\n"));
    entries.collect()
}

/// The analyzers to run.
pub(super) struct Chosen(Vec<String>);

impl Chosen {
    /// Those named, or all.
    ///
    /// # Errors
    /// When there is none of such a name; the text says so.
    pub(super) fn new(names: &[String]) -> Result<Self, String> {
        let known = all();
        if let Some(unknown) = names.iter().find(|name| !known.contains_key(*name)) {
            return Err(format!(
                "there is no analyzer `{unknown}`; `pilotage analyze --list-analyzers` lists them"
            ));
        }
        Ok(Self(if names.is_empty() { known.into_keys().collect() } else { names.to_vec() }))
    }

    /// Their names.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|chosen| chosen == name)
    }

    /// The problems that they find, without what objects ask not to be told. Texts that cannot be read at all are told
    /// in any case.
    pub(super) fn run(&self, configuration: &Configuration, now: Timestamp) -> Vec<Diagnostic> {
        let own = configuration.diagnostics.iter().filter(|problem| self.wants(problem));
        let mut problems: Vec<Diagnostic> = own.cloned().collect();
        let objects = configuration.all_objects();
        let context = Context::new(&objects, Some(now));
        for analyzer in ANALYZERS.iter().filter(|analyzer| self.has(analyzer.name)) {
            problems.extend(analyzer.run(&context));
        }
        if self.has(unreached_rules::NAME) {
            problems.extend(unreached_rules::analyze(configuration, &problems));
        }
        suppression::apply(&objects, &mut problems);
        problems
    }

    /// Whether a problem that was found while loading is asked for.
    fn wants(&self, problem: &Diagnostic) -> bool {
        let Some(object) = &problem.object else { return true };
        if problem.code == codes::IST0002 {
            return self.has(DEPRECATION);
        }
        let is_istio = KindName::find(&object.kind).is_some_and(KindName::is_istio);
        !is_istio || self.has(&format!("{VALIDATION}{}", object.kind))
    }
}
