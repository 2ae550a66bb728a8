//! Test files, as written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pilotage_config::decode::{Decode, Decoder, UnknownFields};
use pilotage_config::schema::Shape;
use pilotage_config::yaml::{self, Node, NodeKind};
use pilotage_config::{Diagnostic, FieldPath, Severity, codes, enumeration, message};

use super::expect::Expect;
use super::request::Request;
use super::table;
use crate::report::Place;

/// A test file.
#[derive(Clone, Debug, Default)]
pub struct TestFile {
    /// Name of the file.
    pub name: Arc<str>,
    /// Configuration, as paths relative to the file.
    pub config: Vec<String>,
    /// Who asks in tests that do not say so.
    pub from: Option<Asker>,
    /// Askers that tests name.
    pub askers: BTreeMap<String, Asker>,
    /// The tests, those of the table last.
    pub tests: Vec<Test>,
}

/// A test with its place.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it is written.
    pub place: Place,
    /// What it says.
    pub case: TestCase,
}

message! {
    /// All of a file.
    pub struct Document as "a file of route tests" {
        /// Configuration, as paths relative to the file.
        pub config: Vec<String>,
        /// Who asks in tests that do not say so.
        pub from: Option<Asker>,
        /// Askers that tests name.
        pub askers: BTreeMap<String, Asker>,
        /// Tests.
        pub tests: Vec<TestCase>,
        /// More tests, a line each.
        pub table: String,
    }
}

message! {
    /// A request and what should become of it.
    pub struct TestCase as "a test" {
        /// What the test is called; the request, where it has no name.
        pub name: String,
        /// The request.
        pub request: Option<Request>,
        /// Who asks.
        pub from: Option<Asker>,
        /// Headers that the upstream answers with.
        pub upstream_headers: BTreeMap<String, String>,
        /// What is expected.
        pub expect: Expect,
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// By name: one of the file's own askers, or a workload or gateway of the configuration.
    Named(String),
    /// By what it is.
    Described(Box<Described>),
}

message! {
    /// A proxy.
    pub struct Described as "an asker" {
        /// What it is.
        pub proxy: Kind,
        /// Namespace of its workload; `default` when not said.
        pub namespace: String,
        /// Labels of its workload.
        pub labels: BTreeMap<String, String>,
        /// Address of its workload.
        pub address: Option<Address>,
        /// Service account of its workload.
        pub service_account: String,
    }
}

enumeration! {
    /// What a proxy is.
    pub enum Kind as "proxy" {
        /// Beside a workload.
        #[default]
        Sidecar = 0 "sidecar",
        /// At the edge.
        Gateway = 1 "gateway",
    }
}

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub IpAddr);

impl Decode for Address {
    const SHAPE: Shape = Shape::Scalar("an IP address");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let address = node.as_str().and_then(|text| text.parse().ok());
        if address.is_none() {
            decoder.wrong_type(node, "an IP address");
        }
        address.map(Self)
    }
}

impl Decode for Asker {
    const SHAPE: Shape = Described::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Some(name) = node.as_str() {
            return Some(Self::Named(name.to_owned()));
        }
        Described::decode(node, decoder).map(|asker| Self::Described(Box::new(asker)))
    }
}

impl TestFile {
    /// Reads the tests in `text`, which is called `name`.
    ///
    /// # Errors
    /// What is wrong with the text; nothing of it is to be used then.
    pub fn read(name: &Arc<str>, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (nodes, mut problems) = yaml::documents(name, text);
        let mut file = Self { name: Arc::clone(name), ..Self::default() };
        for (index, node) in nodes.iter().filter(|node| !node.is_null()).enumerate() {
            if index > 0 {
                let message = "a file of route tests is one document, and here another begins";
                let problem = Diagnostic::new(codes::PIL0203, message);
                problems.push(problem.at(name, node.span, ""));
                break;
            }
            if node.get("apiVersion").is_some() && node.get("kind").is_some() {
                let message = "this is configuration to test, not a file of route tests";
                let problem = Diagnostic::new(codes::PIL0203, message).at(name, node.span, "");
                problems
                    .push(problem.help("name it with -f, or under `config` in a file of tests"));
                break;
            }
            file.add(node, text, &mut problems);
        }
        if file.tests.is_empty() && problems.is_empty() {
            let problem = Diagnostic::new(codes::PIL0203, "there is no test in it");
            let help = "tests are a list under `tests`, or lines of a `table`";
            problems.push(problem.with_source(name).help(help));
        }
        if problems.iter().any(Diagnostic::is_error) { Err(problems) } else { Ok(file) }
    }

    fn add(&mut self, node: &Node, text: &str, problems: &mut Vec<Diagnostic>) {
        let mut decoder = decoder(&self.name, Document::SHAPE);
        let document = Document::decode(node, &mut decoder).unwrap_or_default();
        let failed = decoder.failed();
        let (spans, found) = decoder.finish(None);
        problems.extend(crate::file::problems(found));
        self.config = document.config;
        self.from = document.from;
        self.askers = document.askers;
        for (index, case) in document.tests.into_iter().enumerate() {
            let path = FieldPath::root().field("tests").index(index);
            let span = spans.key(&path).unwrap_or(node.span);
            if !failed {
                problems.extend(
                    case.lacks(&path.to_string()).map(|problem| problem.at(&self.name, span, "")),
                );
            }
            self.tests.push(Test { place: Place::new(&self.name, span), case });
        }
        if let Some(table) =
            node.get("table").filter(|node| matches!(node.kind, NodeKind::String(_)))
        {
            let (tests, found) = table::tests(&self.name, text, table);
            problems.extend(found);
            self.tests.extend(tests);
        }
    }
}

/// A decoder for part of a test file.
pub(super) fn decoder(name: &Arc<str>, shape: Shape) -> Decoder<'_> {
    Decoder::new(name, UnknownFields::Report(Severity::Error), shape)
}

impl TestCase {
    /// What the test at `path` lacks to be one.
    pub(super) fn lacks(&self, path: &str) -> Option<Diagnostic> {
        let what = if self.request.is_none() {
            "its `request`"
        } else if self.expect == Expect::default() {
            "what is expected, under `expect`"
        } else {
            return None;
        };
        Some(Diagnostic::new(codes::PIL0203, format!("`{path}` lacks {what}")))
    }

    /// What to call it.
    pub(super) fn title(&self) -> String {
        match &self.request {
            Some(request) if self.name.is_empty() => request.to_string(),
            _ => self.name.clone(),
        }
    }
}
