//! What came out of a run, whatever format the tests were written in.

use std::fmt;
use std::sync::Arc;

use pilotage_config::Span;

use crate::coverage::Coverage;
use crate::mutate::Mutations;

/// A line of a file, as people and editors write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Name of the file.
    pub file: Arc<str>,
    /// Line, from 1; 0 when only the file is known.
    pub line: u32,
}

impl Place {
    /// The line where `span` begins.
    #[must_use]
    pub fn new(file: &Arc<str>, span: Span) -> Self {
        Self { file: Arc::clone(file), line: span.line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The tests of each file, in the order given.
    pub suites: Vec<Suite>,
    /// Which rules the tests reached.
    pub coverage: Coverage,
    /// What came of changing the configuration, if that was asked for.
    pub mutations: Option<Mutations>,
}

/// The tests of one file.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// Name of the file.
    pub file: Arc<str>,
    /// Its tests in the order written.
    pub tests: Vec<TestResult>,
}

/// One test and how it went.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// The request, as one would ask for it: `GET http://reviews/ -H 'end-user: jason'`.
    pub asked: String,
    /// Who asked, where that is not obvious.
    pub from: Option<String>,
    /// The rule that took the request.
    pub taken_by: Option<Rule>,
    /// How it went.
    pub verdict: Verdict,
}

/// A rule of the configuration, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// What it is: `VirtualService default/reviews http[1]`, or virtual host and number of a route.
    pub name: String,
    /// Where it is written, if that is known.
    pub place: Option<Place>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that was expected is so.
    Passed,
    /// Some of it is not.
    Failed(Vec<Mismatch>),
    /// It cannot be judged, for a reason that the text says.
    Broken(String),
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What: `to`, `path`, `cluster_name`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What it is.
    pub got: String,
}

impl Mismatch {
    /// A mismatch, unless the two are the same.
    #[must_use]
    pub fn unless_same(what: &str, expected: &str, got: &str) -> Option<Self> {
        (expected != got).then(|| Self {
            what: what.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        })
    }
}

impl TestResult {
    /// Whether all is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

impl Report {
    /// All tests of all files.
    pub fn tests(&self) -> impl Iterator<Item = &TestResult> {
        self.suites.iter().flat_map(|suite| &suite.tests)
    }

    /// How many tests did not pass.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.tests().filter(|test| !test.passed()).count()
    }
}
