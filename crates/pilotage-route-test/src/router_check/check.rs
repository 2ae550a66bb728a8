//! One test: what it expects against what the routes do.

use std::collections::BTreeSet;

use pilotage_engine::headers::Headers;
use pilotage_engine::request::RequestHead;
use pilotage_engine::route::RouteAction;
use pilotage_engine::route_match::HeaderMatch;
use pilotage_proto::envoy::config::route::v3::HeaderMatcher;
use pilotage_proto::json;
use pilotage_proto::prost_types::value::Kind;

use super::Routes;
use super::ask::ask;
use super::count::{Counts, Field};
use super::entry::{Entry, header};
use super::file::{HeaderValue, Raw, RouteMetadata, Test, ValidationAssert, ValidationInput};
use super::runtime::Runtimes;
use super::virtual_clusters;
use crate::report::{Mismatch, TestResult, Verdict};

/// Names of what is not a header and can be asked for like one.
const PSEUDO_HEADERS: [&str; 4] = [":path", ":authority", ":method", ":scheme"];

/// Runs `test`.
pub(super) fn test(
    routes: &Routes,
    runtimes: &mut Runtimes<'_>,
    test: &Test,
    counts: &mut Counts,
) -> TestResult {
    let mut input = test.item.input.clone().unwrap_or_default();
    let wanted = test.item.validate.clone().unwrap_or_default();
    if input.method.is_empty() {
        "GET".clone_into(&mut input.method);
    }
    let mut taken_by = None;
    let mut judged = || -> Result<Vec<Mismatch>, String> {
        let runtime = input.runtime.as_deref().unwrap_or_default();
        let named = named_clusters(runtimes, &input);
        let entry = ask(&runtimes.stage(runtime, named), &input)?;
        taken_by = routes.taken_by(&entry);
        let mut check = Check { entry: &entry, mismatches: Vec::new(), held: Vec::new() };
        check.route(routes, &wanted)?;
        check.headers(&wanted)?;
        check.metadata(&wanted.route_metadata);
        counts.add(&entry, &check.held);
        Ok(check.mismatches)
    };
    let verdict = match judged() {
        Ok(mismatches) if mismatches.is_empty() => Verdict::Passed,
        Ok(mismatches) => Verdict::Failed(mismatches),
        Err(problem) => Verdict::Broken(problem),
    };
    TestResult {
        name: test.item.test_name.clone().unwrap_or_default(),
        place: test.place.clone(),
        asked: asked(&input),
        from: None,
        taken_by,
        verdict,
    }
}

/// Clusters that the request names itself, by a header that some route asks.
fn named_clusters(runtimes: &Runtimes<'_>, input: &ValidationInput) -> BTreeSet<String> {
    let asked = runtimes.cluster_headers();
    let headers = input.additional_request_headers.iter();
    let naming = headers.filter(|header| asked.contains(&header.key.to_ascii_lowercase()));
    let named = naming.map(|header| header.value.clone());
    let by_host = asked.contains(":authority").then(|| input.authority.clone());
    // A request that names none goes to a cluster without a name.
    named.chain(by_host).chain((!asked.is_empty()).then(String::new)).collect()
}

/// The request as one would ask for it with curl.
fn asked(input: &ValidationInput) -> String {
    let scheme = if input.ssl == Some(true) { "https" } else { "http" };
    let mut text = format!("{} {scheme}://{}{}", input.method, input.authority, input.path);
    for HeaderValue { key, value } in &input.additional_request_headers {
        text.push_str(&format!(" -H '{key}: {value}'"));
    }
    if let Some(random) = input.random_value {
        text.push_str(&format!(" (random {random})"));
    }
    if let Some(runtime) = input.runtime.as_deref().filter(|key| !key.is_empty()) {
        text.push_str(&format!(" (runtime {runtime})"));
    }
    text
}

/// A test under way.
struct Check<'e> {
    entry: &'e Entry,
    mismatches: Vec<Mismatch>,
    /// What was as expected, as far as it counts.
    held: Vec<Field>,
}

impl Check<'_> {
    /// Compares one expectation, if there is one.
    fn compare(&mut self, what: &str, wanted: Option<&str>, got: &str, field: Field) {
        let Some(wanted) = wanted else { return };
        match Mismatch::unless_same(what, wanted, got) {
            Some(mismatch) => self.mismatches.push(mismatch),
            None => self.held.push(field),
        }
    }

    fn route(&mut self, routes: &Routes, wanted: &ValidationAssert) -> Result<(), String> {
        let forwarded = self.entry.forwarded();
        let of = |text: fn(&super::entry::Forwarded) -> &str| forwarded.map_or("", text);
        let (cluster, host) = (of(|f| &f.cluster), of(|f| &f.route.virtual_host.name));
        let (path, authority) = (of(|f| &f.sent.path), of(|f| &f.sent.authority));
        let virtual_cluster = match forwarded.filter(|_| wanted.virtual_cluster_name.is_some()) {
            Some(forwarded) => virtual_clusters::name(routes.config(), forwarded)?,
            None => String::new(),
        };
        let text = |wanted: &Option<String>| wanted.clone();
        for (what, wanted, got, field) in [
            ("cluster_name", text(&wanted.cluster_name), cluster, Field::Cluster),
            (
                "virtual_cluster_name",
                text(&wanted.virtual_cluster_name),
                &*virtual_cluster,
                Field::VirtualCluster,
            ),
            ("virtual_host_name", text(&wanted.virtual_host_name), host, Field::VirtualHost),
            ("path_rewrite", text(&wanted.path_rewrite), path, Field::PathRewrite),
            ("host_rewrite", text(&wanted.host_rewrite), authority, Field::HostRewrite),
        ] {
            self.compare(what, wanted.as_deref(), got, field);
        }
        let direct = self.entry.direct();
        let url = direct.map_or("", |direct| &direct.url);
        self.compare("path_redirect", wanted.path_redirect.as_deref(), url, Field::RedirectPath);
        let code = wanted.code_redirect.map(|code| code.to_string());
        let got = direct.map_or(0, |direct| direct.code).to_string();
        self.compare("code_redirect", code.as_deref(), &got, Field::RedirectCode);
        self.timeout(wanted);
        Ok(())
    }

    fn timeout(&mut self, wanted: &ValidationAssert) {
        let Some(wanted) = wanted.timeout else { return };
        let got = match self.entry.route().map(|route| &route.action) {
            Some(RouteAction::Forward(action)) => {
                let limit = action.timeout.unwrap_or_default();
                i64::try_from(limit.as_nanos()).map(pilotage_config::Duration::from_nanos).ok()
            }
            _ => None,
        };
        let got = got.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        let mismatch = Mismatch::unless_same("timeout", &wanted.to_string(), &got);
        self.mismatches.extend(mismatch);
    }

    fn headers(&mut self, wanted: &ValidationAssert) -> Result<(), String> {
        for (index, raw) in wanted.request_header_matches.iter().enumerate() {
            let what = format!("request_header_matches[{index}]");
            let wanted = Condition::read(&what, raw)?;
            let matches = self.entry.sent().with(|head| wanted.holds(head));
            if !matches {
                let got = self.entry.sent().header(&wanted.name.to_ascii_lowercase());
                self.mismatches.push(unmatched(&what, &wanted.name, raw, got));
            }
        }
        for (index, raw) in wanted.response_header_matches.iter().enumerate() {
            let what = format!("response_header_matches[{index}]");
            let wanted = Condition::read(&what, raw)?;
            let empty = Headers::new();
            let answer = self.entry.answer().unwrap_or(&empty);
            if !wanted.compiled.matches_headers(answer) {
                let got = header(answer, &wanted.name);
                self.mismatches.push(unmatched(&what, &wanted.name, raw, got));
            }
        }
        for HeaderValue { key, value } in &wanted.request_header_fields {
            let got = self.entry.sent().header(&key.to_ascii_lowercase()).unwrap_or_default();
            let what = format!("request_header_fields {key}");
            self.mismatches.extend(Mismatch::unless_same(&what, value, &got));
        }
        for HeaderValue { key, value } in &wanted.response_header_fields {
            let got = self.entry.answer().and_then(|answer| header(answer, key));
            let what = format!("response_header_fields {key}");
            let got = got.unwrap_or_default();
            self.mismatches.extend(Mismatch::unless_same(&what, value, &got));
        }
        Ok(())
    }

    fn metadata(&mut self, wanted: &[RouteMetadata]) {
        let metadata = self.entry.route().and_then(|route| route.metadata());
        for RouteMetadata { namespace, key, value } in wanted {
            let of_filter =
                metadata.as_ref().and_then(|metadata| metadata.filter_metadata.get(namespace));
            let found = of_filter.and_then(|of_filter| of_filter.fields.get(key)?.kind.as_ref());
            let got = match found {
                Some(Kind::StringValue(text)) => text.clone(),
                Some(Kind::NumberValue(number)) => number.to_string(),
                Some(Kind::BoolValue(truth)) => truth.to_string(),
                Some(_) => "something that is no text".to_owned(),
                None => "none".to_owned(),
            };
            let what = format!("route_metadata {namespace} {key}");
            self.mismatches.extend(Mismatch::unless_same(&what, value, &got));
        }
    }
}

/// A condition on a header.
struct Condition {
    name: String,
    compiled: HeaderMatch,
    /// It asks for a pseudo header that does not exist, and that no request has.
    unknown: bool,
}

impl Condition {
    fn read(what: &str, raw: &Raw) -> Result<Self, String> {
        let mut proto: HeaderMatcher = json::from_value(&raw.0)
            .map_err(|e| format!("{what}: it is no header matcher of Envoy: {e}"))?;
        let name = proto.name.clone();
        let unknown = name.starts_with(':') && !PSEUDO_HEADERS.contains(&&*name);
        if unknown {
            // The engine refuses names that cannot be; what is missing, is missing by any name.
            PSEUDO_HEADERS[0].clone_into(&mut proto.name);
        }
        let compiled = HeaderMatch::compile(&proto).map_err(|e| format!("{what}: {e}"))?;
        Ok(Self { name, compiled, unknown })
    }

    fn holds(&self, head: &RequestHead<'_>) -> bool {
        if self.unknown {
            self.compiled.matches_headers(&Headers::new())
        } else {
            self.compiled.matches(head)
        }
    }
}

fn unmatched(what: &str, name: &str, raw: &Raw, got: Option<String>) -> Mismatch {
    let mut condition = raw.0.clone();
    if let Some(fields) = condition.as_object_mut() {
        fields.remove("name");
    }
    let presence = condition.as_object().is_some_and(serde_json::Map::is_empty);
    let expected = if presence { "to be there".to_owned() } else { condition.to_string() };
    Mismatch {
        what: format!("{what} {name}"),
        expected,
        got: got.unwrap_or_else(|| "no such header".to_owned()),
    }
}
