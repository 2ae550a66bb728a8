//! Tests of a mesh's configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_config::Diagnostic;
use pilotage_route_test::native::{self, Stage, TestFile};
use pilotage_route_test::{Mutations, Report, config_validator, mutate};

use super::{Refusal, TestArgs};
use crate::commands::CommandError;
use crate::inputs::{self, Configuration};

/// A file of tests with the configuration that it runs on.
struct Loaded {
    tests: Tests,
    configuration: Arc<Configuration>,
}

/// Tests in the formats that are about a mesh.
enum Tests {
    Native(TestFile),
    Validator(config_validator::TestFile),
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
    for Loaded { tests, configuration } in &loaded {
        match tests {
            Tests::Native(file) => {
                let mut stage = Stage::new(&configuration.inputs());
                let (suite, coverage) = native::run(file, &mut stage);
                report.suites.push(suite);
                report.coverage.merge(coverage);
            }
            Tests::Validator(file) => {
                let told = config_validator::run(&configuration.objects, &[file]);
                report.suites.extend(told.suites);
                report.coverage.merge(told.coverage);
            }
        }
    }
    if args.mutate {
        if report.failures() == 0 {
            report.mutations = Some(mutations(args, &loaded));
        } else {
            anstream::eprintln!("error: nothing was changed: first all tests have to pass");
        }
    }
    Ok(Ok(report))
}

/// Changes each configuration, and asks the tests that run on it.
fn mutations(args: &TestArgs, loaded: &[Loaded]) -> Mutations {
    let options = mutate::Options { seed: args.seed, most: args.mutants };
    let mut all = Mutations::default();
    let mut done: Vec<&Arc<Configuration>> = Vec::new();
    for Loaded { configuration, .. } in loaded {
        if done.iter().any(|known| Arc::ptr_eq(known, configuration)) {
            continue;
        }
        done.push(configuration);
        let same = loaded.iter().filter(|other| Arc::ptr_eq(&other.configuration, configuration));
        let native = same.filter_map(|loaded| match &loaded.tests {
            Tests::Native(file) => Some(file),
            // What they compare is the text of rules: any change to it is noticed or not by the field alone.
            Tests::Validator(_) => None,
        });
        let files: Vec<&TestFile> = native.collect();
        all.merge(mutate::run(&configuration.inputs(), &files, options));
    }
    all
}

/// Reads all test files and their configurations.
fn load(args: &TestArgs) -> Result<Result<Vec<Loaded>, Refusal>, CommandError> {
    let mut refusal = Refusal::default();
    let mut known: Vec<(Vec<PathBuf>, Arc<Configuration>)> = Vec::new();
    let mut all = Vec::new();
    for path in &args.tests {
        let source = inputs::read_one(path)?;
        let name: Arc<str> = source.name.as_str().into();
        let read = read(&name, &source.text);
        refusal.sources.insert(source.name, source.text);
        let tests = match read {
            Ok(tests) => tests,
            Err(problems) => {
                refusal.problems.extend(problems);
                continue;
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = match &tests {
            Tests::Native(file) => file.config.as_slice(),
            Tests::Validator(_) => &[],
        };
        let paths: Vec<PathBuf> = own.iter().map(|path| folder.join(path)).collect();
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
        all.push(Loaded { tests, configuration });
    }
    Ok(if refusal.problems.is_empty() { Ok(all) } else { Err(refusal) })
}

/// Reads a test file in the format that it is in.
fn read(name: &Arc<str>, text: &str) -> Result<Tests, Vec<Diagnostic>> {
    if config_validator::is_one(text) {
        config_validator::TestFile::read(name, text).map(Tests::Validator)
    } else {
        TestFile::read(name, text).map(Tests::Native)
    }
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
