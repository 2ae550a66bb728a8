//! Test files: `envoy.RouterCheckToolSchema.Validation` as YAML or JSON.

use std::sync::Arc;

use pilotage_config::decode::{Decode, Decoder, UnknownFields};
use pilotage_config::schema::Shape;
use pilotage_config::yaml::{self, Node, NodeKind};
use pilotage_config::{Diagnostic, Duration, FieldPath, Severity, Span, codes, message};
use serde_json::Value;

use crate::report::Place;

/// What the names of files end with that Envoy reads as protobuf text.
const PROTOBUF_TEXT: &str = ".pb_text";

/// A test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Name of the file.
    pub name: Arc<str>,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// A test with its place.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it is written.
    pub place: Place,
    /// What it says.
    pub item: ValidationItem,
}

message! {
    /// A file of tests.
    pub struct Validation {
        /// The tests.
        pub tests: Vec<ValidationItem>,
        /// Switches of Envoy that hold while routes are loaded. What a test turns on is its own `runtime`, so that
        /// none of them changes what becomes of a request.
        pub runtime: Option<Raw>,
    }
}

message! {
    /// One test.
    pub struct ValidationItem {
        /// Its name; need not be unique.
        pub test_name as "test_name": Option<String>,
        /// The request.
        pub input: Option<ValidationInput>,
        /// What is expected.
        pub validate: Option<ValidationAssert>,
    }
}

message! {
    /// A request.
    pub struct ValidationInput {
        /// Host, with a port if there is one.
        pub authority: String,
        /// Path and query.
        pub path: String,
        /// Method; GET when it is empty.
        pub method: String,
        /// Decides weights and runtime fractions.
        pub random_value as "random_value": Option<u64>,
        /// The request came over https.
        pub ssl: Option<bool>,
        /// The request counts as internal.
        pub internal: Option<bool>,
        /// More headers of the request.
        pub additional_request_headers as "additional_request_headers": Vec<HeaderValue>,
        /// Headers that the upstream answers with.
        pub additional_response_headers as "additional_response_headers": Vec<HeaderValue>,
        /// The runtime key that is on.
        pub runtime: Option<String>,
        /// Metadata that filters would have set, in this order.
        pub dynamic_metadata as "dynamic_metadata": Vec<FilterMetadata>,
    }
}

message! {
    /// Metadata under one name, as Envoy's `set_metadata` filter is told of it.
    pub struct FilterMetadata {
        /// The name: that of a filter.
        pub metadata_namespace as "metadata_namespace": String,
        /// Goes on top of what is there already. Otherwise that stays as it is.
        pub allow_overwrite as "allow_overwrite": bool,
        /// The fields.
        pub value: Option<Raw>,
        /// A message instead of fields. Routes do not look at such.
        pub typed_value as "typed_value": Option<Raw>,
    }
}

message! {
    /// A header.
    pub struct HeaderValue {
        /// Name.
        pub key: String,
        /// Value.
        pub value: String,
    }
}

message! {
    /// What is expected. A text that is empty says that there is no such thing.
    pub struct ValidationAssert {
        /// Cluster that the route chose.
        pub cluster_name as "cluster_name": Option<String>,
        /// Virtual cluster that the request counts for.
        pub virtual_cluster_name as "virtual_cluster_name": Option<String>,
        /// Virtual host of the route.
        pub virtual_host_name as "virtual_host_name": Option<String>,
        /// Host of the request that is sent on.
        pub host_rewrite as "host_rewrite": Option<String>,
        /// Path of the request that is sent on.
        pub path_rewrite as "path_rewrite": Option<String>,
        /// URL that the client is sent to.
        pub path_redirect as "path_redirect": Option<String>,
        /// Status of a redirect or direct response; 0 for none.
        pub code_redirect as "code_redirect": Option<u32>,
        /// Conditions on the headers of the request that is sent on.
        pub request_header_matches as "request_header_matches": Vec<Raw>,
        /// Conditions on the headers of the answer.
        pub response_header_matches as "response_header_matches": Vec<Raw>,
        /// Headers of the request that is sent on; the older form.
        pub request_header_fields as "request_header_fields": Vec<HeaderValue>,
        /// Headers of the answer; the older form.
        pub response_header_fields as "response_header_fields": Vec<HeaderValue>,
        /// Time limit of the route.
        pub timeout: Option<Duration>,
        /// Entries of the route's metadata.
        pub route_metadata as "route_metadata": Vec<RouteMetadata>,
    }
}

message! {
    /// An entry of a route's metadata.
    pub struct RouteMetadata {
        /// Name of the filter that the metadata is for.
        pub namespace: String,
        /// Field.
        pub key: String,
        /// Its text.
        pub value: String,
    }
}

/// Something that is read elsewhere, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Raw(pub Value);

impl Decode for Raw {
    const SHAPE: Shape = Shape::Scalar("a message of Envoy");

    fn decode(node: &Node, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Self(node.to_json()))
    }
}

impl TestFile {
    /// Reads the tests in `text`, which is called `name`.
    ///
    /// # Errors
    /// What is wrong with the text; nothing of it is to be used then.
    pub fn read(name: &Arc<str>, text: &str) -> Result<Self, Vec<Diagnostic>> {
        if name.ends_with(PROTOBUF_TEXT) {
            let message = "tests as protobuf text are not read";
            let start = Span { line: 1, column: 1, ..Span::default() };
            let problem = Diagnostic::new(codes::PIL0203, message).at(name, start, "");
            return Err(vec![problem.help("write the same fields as YAML or JSON")]);
        }
        let (nodes, mut problems) = yaml::documents(name, text);
        let mut tests = Vec::new();
        for mut node in nodes.into_iter().filter(|node| !node.is_null()) {
            if let NodeKind::Seq(_) = node.kind {
                problems.push(old_form(name, &node));
                continue;
            }
            if let Some(hosts) = node.get("virtual_hosts").or_else(|| node.get("virtualHosts")) {
                let message = "this is a route configuration, not a file of tests";
                let problem = Diagnostic::new(codes::PIL0203, message).at(name, hosts.span, "");
                problems.push(problem.help("--envoy-routes takes it"));
                continue;
            }
            snake_keys(&mut node);
            let unknown = UnknownFields::Report(Severity::Error);
            let mut decoder = Decoder::new(name, unknown, Validation::SHAPE);
            let validation = Validation::decode(&node, &mut decoder).unwrap_or_default();
            let (spans, found) = decoder.finish(None);
            let sound = found.is_empty();
            problems.extend(crate::file::problems(found));
            for (index, item) in validation.tests.into_iter().enumerate() {
                let path = FieldPath::root().field("tests").index(index);
                let place = Place::new(name, spans.key(&path).unwrap_or(node.span));
                let at = |field: &FieldPath| spans.key(field).unwrap_or(node.span);
                // What could not be read is not missing.
                for (field, what) in missing(&item).into_iter().filter(|_| sound) {
                    let message = format!("`{path}` lacks {what}");
                    let problem = Diagnostic::new(codes::PIL0203, message);
                    problems.push(problem.at(name, at(&path.field(field)), ""));
                }
                tests.push(Test { place, item });
            }
        }
        if tests.is_empty() && problems.is_empty() {
            let problem = Diagnostic::new(codes::PIL0203, "there is no test in it");
            problems.push(problem.with_source(name).help("tests are a list under `tests`"));
        }
        if problems.iter().any(Diagnostic::is_error) {
            return Err(problems);
        }
        Ok(Self { name: Arc::clone(name), tests })
    }
}

/// What a test must have and does not: the field, and what it is in words.
fn missing(item: &ValidationItem) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    if item.test_name.as_deref().is_none_or(str::is_empty) {
        found.push(("test_name", "a `test_name`"));
    }
    match &item.input {
        None => found.push(("input", "the request, `input`")),
        Some(input) => {
            if input.authority.is_empty() {
                found.push(("input", "`input.authority`"));
            }
            if input.path.is_empty() {
                found.push(("input", "`input.path`"));
            }
        }
    }
    if item.validate.is_none() {
        found.push(("validate", "what is expected, `validate`"));
    }
    found
}

fn old_form(name: &Arc<str>, node: &Node) -> Diagnostic {
    Diagnostic::new(codes::PIL0203, "a test file is a mapping with `tests`, and this is a list")
        .at(name, node.span, "")
        .help("lists of tests are the form of Envoy before 1.13; put them under `tests`")
}

/// What `additional_request_headers` was called before Envoy 1.14.
const FORMER_HEADERS: &str = "additional_headers";

/// The field whose items hold keys that mean themselves.
const METADATA: &str = "dynamic_metadata";

/// Protobuf-JSON allows `testName` for `test_name`; and one field had another name once.
fn snake_keys(node: &mut Node) {
    match &mut node.kind {
        NodeKind::Map(entries) => {
            for entry in entries {
                if entry.key.contains(|c: char| c.is_ascii_uppercase()) {
                    entry.key = snake(&entry.key).into();
                }
                if &*entry.key == FORMER_HEADERS {
                    entry.key = "additional_request_headers".into();
                }
                if &*entry.key == METADATA {
                    snake_keys_of_items(&mut entry.value);
                } else {
                    snake_keys(&mut entry.value);
                }
            }
        }
        NodeKind::Seq(items) => items.iter_mut().for_each(snake_keys),
        _ => {}
    }
}

/// The same for the fields of items alone, as what they hold has keys that people choose.
fn snake_keys_of_items(node: &mut Node) {
    let NodeKind::Seq(items) = &mut node.kind else { return };
    for item in items {
        let NodeKind::Map(entries) = &mut item.kind else { continue };
        for entry in entries {
            entry.key = snake(&entry.key).into();
        }
    }
}

fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
