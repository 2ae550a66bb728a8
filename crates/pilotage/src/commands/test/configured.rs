//! Tests of a mesh's configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_config::Diagnostic;
use pilotage_route_test::Report;
use pilotage_route_test::native::{self, Stage, TestFile};

use super::{Refusal, TestArgs};
use crate::commands::CommandError;
use crate::inputs::{self, Configuration};

/// A file of tests with the configuration that it runs on.
pub(super) struct Loaded {
    /// The tests.
    pub(super) file: TestFile,
    /// The configuration.
    pub(super) configuration: Arc<Configuration>,
}

/// Runs all test files, each on its configuration.
///
/// # Errors
/// When a file cannot be read. What is wrong inside of files is the inner error.
pub(super) fn run(args: &TestArgs) -> Result<Result<Report, Refusal>, CommandError> {
    let loaded = match load(args)? {
        Ok(loaded) => loaded,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut report = Report::default();
    for Loaded { file, configuration } in &loaded {
        let mut stage = Stage::new(&configuration.inputs());
        let (suite, coverage) = native::run(file, &mut stage);
        report.suites.push(suite);
        report.coverage.merge(coverage);
    }
    Ok(Ok(report))
}

/// Reads all test files and their configurations.
///
/// # Errors
/// When a file cannot be read. What is wrong inside of files is the inner error.
pub(super) fn load(args: &TestArgs) -> Result<Result<Vec<Loaded>, Refusal>, CommandError> {
    let mut refusal = Refusal::default();
    let mut known: Vec<(Vec<PathBuf>, Arc<Configuration>)> = Vec::new();
    let mut all = Vec::new();
    for path in &args.tests {
        let source = inputs::read_one(path)?;
        let name: Arc<str> = source.name.as_str().into();
        let read = TestFile::read(&name, &source.text);
        refusal.sources.insert(source.name, source.text);
        let file = match read {
            Ok(file) => file,
            Err(problems) => {
                refusal.problems.extend(problems);
                continue;
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths: Vec<PathBuf> = file.config.iter().map(|path| folder.join(path)).collect();
        let configuration = match known.iter().find(|(of, _)| *of == paths) {
            Some((_, configuration)) => Arc::clone(configuration),
            None => {
                if paths.is_empty() && args.inputs.files.is_empty() {
                    return Err(CommandError::NothingToTest(path.clone()));
                }
                let configuration = Arc::new(args.inputs.load(&paths)?);
                refusal.add(&configuration);
                known.push((paths, Arc::clone(&configuration)));
                configuration
            }
        };
        all.push(Loaded { file, configuration });
    }
    Ok(if refusal.problems.is_empty() { Ok(all) } else { Err(refusal) })
}

impl Refusal {
    /// Objects that are refused would be missing in the tests.
    fn add(&mut self, configuration: &Configuration) {
        let errors = configuration.diagnostics.iter().filter(|problem| problem.is_error());
        self.problems.extend(errors.cloned().collect::<Vec<Diagnostic>>());
        let sources = configuration.sources.iter();
        self.sources.extend(sources.map(|(name, text)| (name.clone(), text.clone())));
    }
}
