//! Test files, as written.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::decode::{Decode, Decoder, UnknownFields};
use pilotage_config::virtual_service::{
    Delegate, Headers, HttpFaultInjection, HttpRedirect, HttpRewrite, HttpRouteDestination,
};
use pilotage_config::yaml::{self, Node, NodeKind};
use pilotage_config::{Diagnostic, FieldPath, Severity, codes, message};

use crate::report::Place;

/// The only field of such a file; letter case does not matter.
const TEST_CASES: &str = "testCases";

/// A test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Name of the file.
    pub name: Arc<str>,
    /// Its tests, with their places.
    pub tests: Vec<(Place, TestCase)>,
}

message! {
    /// All of a document.
    pub struct Document as "a file of istio-config-validator" {
        /// Tests.
        pub test_cases: Vec<TestCase>,
    }
}

message! {
    /// Requests, and what stands in the rule that takes them.
    pub struct TestCase as "a test case" {
        /// What the test is about.
        pub description: String,
        /// Whether the rule has what follows, or something else.
        pub want_match: bool,
        /// The requests.
        pub request: Option<Requests>,
        /// Destinations.
        pub route: Vec<HttpRouteDestination>,
        /// Redirect.
        pub redirect: Option<Box<HttpRedirect>>,
        /// Rewrite.
        pub rewrite: Option<Box<HttpRewrite>>,
        /// Fault.
        pub fault: Option<Box<HttpFaultInjection>>,
        /// Header operations.
        pub headers: Option<Box<Headers>>,
        /// Delegate.
        pub delegate: Option<Box<Delegate>>,
    }
}

message! {
    /// Requests: every combination of authority, method and URI.
    pub struct Requests as "request" {
        /// Hosts.
        pub authority: Vec<String>,
        /// Methods.
        pub method: Vec<String>,
        /// Paths.
        pub uri: Vec<String>,
        /// Headers of all of them.
        pub headers: BTreeMap<String, String>,
        /// Query parameters of all of them.
        pub query_params: BTreeMap<String, Option<String>>,
        /// Scheme of all of them.
        pub scheme: String,
    }
}

/// Whether `text` is such a file rather than one of our own format.
#[must_use]
pub fn is_one(text: &str) -> bool {
    let (nodes, _) = yaml::documents(&"".into(), text);
    nodes.iter().any(|node| test_cases(node).is_some())
}

fn test_cases(node: &Node) -> Option<usize> {
    let NodeKind::Map(entries) = &node.kind else { return None };
    entries.iter().position(|entry| entry.key.eq_ignore_ascii_case(TEST_CASES))
}

impl TestFile {
    /// Reads the tests in `text`, which is called `name`.
    ///
    /// # Errors
    /// What is wrong with the text; nothing of it is to be used then.
    pub fn read(name: &Arc<str>, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (nodes, mut problems) = yaml::documents(name, text);
        let mut tests = Vec::new();
        for mut node in nodes.into_iter().filter(|node| !node.is_null()) {
            if let (Some(at), NodeKind::Map(entries)) = (test_cases(&node), &mut node.kind)
                && let Some(entry) = entries.get_mut(at)
            {
                entry.key = TEST_CASES.into();
            }
            let unknown = UnknownFields::Report(Severity::Error);
            let mut decoder = Decoder::new(name, unknown, Document::SHAPE);
            let document = Document::decode(&node, &mut decoder).unwrap_or_default();
            let sound = !decoder.failed();
            let (spans, found) = decoder.finish(None);
            problems.extend(crate::file::problems(found));
            for (index, case) in document.test_cases.into_iter().enumerate() {
                let path = FieldPath::root().field(TEST_CASES).index(index);
                let span = spans.key(&path).unwrap_or(node.span);
                if let Some(what) = case.lacks().filter(|_| sound) {
                    let message = format!("`{path}` lacks {what}");
                    problems.push(Diagnostic::new(codes::PIL0203, message).at(name, span, ""));
                }
                tests.push((Place::new(name, span), case));
            }
        }
        if problems.iter().any(Diagnostic::is_error) {
            return Err(problems);
        }
        Ok(Self { name: Arc::clone(name), tests })
    }
}

impl TestCase {
    fn lacks(&self) -> Option<&'static str> {
        let Some(request) = &self.request else { return Some("its `request`") };
        if request.authority.is_empty() {
            Some("the list `request.authority`")
        } else if request.method.is_empty() {
            Some("the list `request.method`")
        } else if request.uri.is_empty() {
            Some("the list `request.uri`")
        } else {
            None
        }
    }
}
