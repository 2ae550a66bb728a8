//! Finding the rule that takes a request, and comparing what stands in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use pilotage_config::virtual_service::{
    Delegate, HttpDirectResponse, HttpMatchRequest, HttpRoute, VirtualService,
};
use pilotage_config::{Kind, Object};
use pilotage_engine::headers::Headers;
use pilotage_engine::origin::Origin;
use pilotage_engine::{Decision, Env, NoTrace, decide};
use pilotage_explain::passage::HttpEnd;
use pilotage_explain::{End, Request, Simulation, carry};
use pilotage_model::{Inputs, ProxyClass, ProxyKind};

use super::file::{Requests, TestCase, TestFile};
use super::written;
use crate::report::{Mismatch, Place, Report, Suite, TestResult, Verdict};
use crate::rules::{self, Rules};

/// A gateway for every host, at which all virtual services are.
const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: all, namespace: route-test}
spec:
  selector: {route-test: all}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";
const NAMESPACE: &str = "route-test";

/// Runs the tests of `files` on the virtual services among `objects`.
#[must_use]
pub fn run(objects: &[Arc<Object>], files: &[&TestFile]) -> Report {
    let mut stage = Stage::new(objects);
    let suites = files.iter().map(|file| {
        let tests = file.tests.iter().flat_map(|(place, case)| stage.case(place, case));
        Suite { file: Arc::clone(&file.name), tests: tests.collect() }
    });
    let suites = suites.collect();
    Report { suites, coverage: stage.rules.coverage(), mutations: None }
}

/// One request of a test.
struct Input<'a> {
    authority: &'a str,
    method: &'a str,
    uri: &'a str,
    of: &'a Requests,
}

struct Stage<'a> {
    objects: &'a [Arc<Object>],
    /// All virtual services with hosts.
    all: Simulation,
    /// Delegates by themselves, by reference.
    delegates: BTreeMap<String, Simulation>,
    rules: Rules,
}

impl<'a> Stage<'a> {
    fn new(objects: &'a [Arc<Object>]) -> Self {
        let services = objects.iter().filter(|object| {
            matches!(&object.body, Kind::VirtualService(service) if !service.hosts.is_empty())
        });
        let all = simulation(services.filter_map(|object| bare(object, None)));
        Self { objects, all, delegates: BTreeMap::new(), rules: Rules::of(objects) }
    }

    fn case(&mut self, place: &Place, case: &TestCase) -> Vec<TestResult> {
        let Some(of) = &case.request else { return Vec::new() };
        let mut results = Vec::new();
        for uri in &of.uri {
            for authority in &of.authority {
                for method in &of.method {
                    results.push(self.one(place, case, &Input { authority, method, uri, of }));
                }
            }
        }
        results
    }

    fn one(&mut self, place: &Place, case: &TestCase, input: &Input<'_>) -> TestResult {
        let mut taken_by = None;
        let verdict = match self.mismatches(case, input, &mut taken_by) {
            Ok(found) if found.is_empty() => Verdict::Passed,
            Ok(found) => Verdict::Failed(found),
            Err(problem) => Verdict::Broken(problem),
        };
        let mut asked = format!("{} http://{}{}", input.method, input.authority, path(input));
        for (name, value) in &input.of.headers {
            asked.push_str(&format!(" -H '{name}: {value}'"));
        }
        let taken_by = taken_by.map(|origin| self.rules.rule(&origin));
        let name = case.description.clone();
        TestResult { name, place: place.clone(), asked, from: None, taken_by, verdict }
    }

    fn mismatches(
        &mut self,
        case: &TestCase,
        input: &Input<'_>,
        taken_by: &mut Option<Origin>,
    ) -> Result<Vec<Mismatch>, String> {
        let root = asked(&self.all, input, &self.host(input.authority))?;
        if let Some(root) = &root {
            self.rules.reach(root);
        }
        let objects = self.objects;
        let mut rule = root.as_ref().and_then(|origin| written_rule(objects, origin));
        let delegate = rule.and_then(|rule| rule.delegate.as_deref());
        let mut found = Vec::new();
        if let Some(wanted) = case.delegate.as_deref() {
            let same = delegate == Some(wanted);
            let (wanted, got) = (written::delegate(Some(wanted)), written::delegate(delegate));
            found.extend(differs(case, "delegate", same, wanted, got));
        }
        taken_by.clone_from(&root);
        if let (Some(delegate), false, Some(root)) = (delegate, case.route.is_empty(), root) {
            let inner = self.delegated(delegate, &root, input)?;
            rule = inner.as_ref().and_then(|origin| written_rule(objects, origin));
            *taken_by = inner.or(Some(root));
        }
        let nothing = HttpRoute::default();
        compare(case, rule.unwrap_or(&nothing), &mut found);
        Ok(found)
    }

    /// The rule of the virtual service that `delegate` names.
    fn delegated(
        &mut self,
        delegate: &Delegate,
        root: &Origin,
        input: &Input<'_>,
    ) -> Result<Option<Origin>, String> {
        let own = root.object.split_once(' ').and_then(|(_, name)| name.split_once('/'));
        let namespace = match (delegate.namespace.as_str(), own) {
            ("", Some((namespace, _))) => namespace,
            (namespace, _) => namespace,
        };
        let found = self.objects.iter().find(|object| {
            matches!(object.body, Kind::VirtualService(_))
                && object.name() == delegate.name
                && object.namespace() == namespace
        });
        let Some(object) = found else {
            return Err(format!(
                "the rule delegates to VirtualService {namespace}/{}, which is not there",
                delegate.name
            ));
        };
        let alone = self
            .delegates
            .entry(object.reference().to_string())
            .or_insert_with(|| simulation(bare(object, Some("*")).into_iter()));
        let origin = asked(alone, input, input.authority)?;
        if let Some(origin) = &origin {
            self.rules.reach(origin);
        }
        Ok(origin)
    }

    /// The host to ask for: short names of Kubernetes are completed, as the rules for them are.
    fn host(&self, authority: &str) -> String {
        let for_it = self.objects.iter().find(|object| {
            matches!(&object.body, Kind::VirtualService(service) if
                service.hosts.iter().any(|host| host == authority))
        });
        match for_it {
            Some(object) if !authority.contains(['.', '*']) => {
                format!("{authority}.{}.svc.cluster.local", object.namespace())
            }
            _ => authority.to_owned(),
        }
    }
}

/// What a test expects of a rule against what stands in it.
fn compare(case: &TestCase, rule: &HttpRoute, found: &mut Vec<Mismatch>) {
    if !case.route.is_empty() {
        let same = rule.route == case.route;
        let texts = (written::route(&case.route), written::route(&rule.route));
        found.extend(differs(case, "route", same, texts.0, texts.1));
    }
    if case.rewrite.is_some() {
        let same = rule.rewrite == case.rewrite;
        let texts = (case.rewrite.as_deref(), rule.rewrite.as_deref());
        let texts = (written::rewrite(texts.0), written::rewrite(texts.1));
        found.extend(differs(case, "rewrite", same, texts.0, texts.1));
    }
    if case.fault.is_some() {
        let same = rule.fault == case.fault;
        let texts = (case.fault.as_deref(), rule.fault.as_deref());
        let texts = (written::fault(texts.0), written::fault(texts.1));
        found.extend(differs(case, "fault", same, texts.0, texts.1));
    }
    if case.headers.is_some() {
        let same = rule.headers == case.headers;
        let texts = (case.headers.as_deref(), rule.headers.as_deref());
        let texts = (written::headers(texts.0), written::headers(texts.1));
        found.extend(differs(case, "headers", same, texts.0, texts.1));
    }
    if case.redirect.is_some() {
        let same = rule.redirect == case.redirect;
        let texts = (case.redirect.as_deref(), rule.redirect.as_deref());
        let texts = (written::redirect(texts.0), written::redirect(texts.1));
        found.extend(differs(case, "redirect", same, texts.0, texts.1));
    }
}

/// The mismatch, if being the `same` is not what the test wants.
fn differs(
    case: &TestCase,
    what: &str,
    same: bool,
    wanted: String,
    got: String,
) -> Option<Mismatch> {
    let expected = if case.want_match { wanted } else { format!("anything but {wanted}") };
    (same != case.want_match).then(|| Mismatch { what: what.to_owned(), expected, got })
}

/// The rule as written.
fn written_rule<'o>(objects: &'o [Arc<Object>], origin: &Origin) -> Option<&'o HttpRoute> {
    let index: usize = origin.rule().strip_prefix("spec.http[")?.strip_suffix(']')?.parse().ok()?;
    let is_it = |object: &&Arc<Object>| object.reference().to_string() == origin.object;
    match &objects.iter().find(is_it)?.body {
        Kind::VirtualService(service) => service.http.get(index).map(|rule| &**rule),
        _ => None,
    }
}

/// A virtual service whose rules keep their conditions on requests and do nothing but answer; for `host`, where one is
/// given, in place of its own.
fn bare(object: &Object, host: Option<&str>) -> Option<Arc<Object>> {
    let Kind::VirtualService(service) = &object.body else { return None };
    let rules = service.http.iter().map(|rule| {
        Arc::new(HttpRoute {
            name: rule.name.clone(),
            match_: rule.match_.iter().map(of_request).collect(),
            direct_response: Some(Box::new(HttpDirectResponse { status: 200, body: None })),
            ..HttpRoute::default()
        })
    });
    let bare = VirtualService {
        hosts: host.map_or_else(|| service.hosts.clone(), |host| vec![host.to_owned()]),
        gateways: vec![format!("{NAMESPACE}/all")],
        http: rules.collect(),
        ..VirtualService::default()
    };
    Some(Arc::new(Object { body: Kind::VirtualService(Arc::new(bare)), ..object.clone() }))
}

/// The conditions on the request alone.
fn of_request(block: &HttpMatchRequest) -> HttpMatchRequest {
    HttpMatchRequest {
        port: 0,
        source_labels: BTreeMap::new(),
        gateways: Vec::new(),
        source_namespace: String::new(),
        ..block.clone()
    }
}

/// The gateway at which `services` are.
fn simulation(services: impl Iterator<Item = Arc<Object>>) -> Simulation {
    let gateway = pilotage_config::load("gateway", GATEWAY).objects.into_iter().map(Arc::new);
    let objects = services.chain(gateway).collect();
    let (snapshot, _) = pilotage_model::build(&Inputs { objects, ..Inputs::default() });
    let proxy = ProxyClass {
        kind: ProxyKind::Gateway,
        namespace: NAMESPACE.into(),
        labels: BTreeMap::from([(NAMESPACE.to_owned(), "all".to_owned())]),
        ..ProxyClass::default()
    };
    Simulation::new(&snapshot, &proxy)
}

/// Path and query of a request.
fn path(input: &Input<'_>) -> String {
    let after_host = input.uri.split_once("://").map(|(_, rest)| match rest.find('/') {
        Some(at) => rest.split_at(at).1,
        None => "/",
    });
    let mut path = after_host.unwrap_or(input.uri).to_owned();
    for (name, value) in &input.of.query_params {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(name);
        path.push('=');
        path.push_str(value.as_deref().unwrap_or_default());
    }
    path
}

/// The rule of `simulation` that takes the request.
fn asked(simulation: &Simulation, input: &Input<'_>, host: &str) -> Result<Option<Origin>, String> {
    let method = Method::from_bytes(input.method.as_bytes())
        .map_err(|_| format!("`{}` is no HTTP method", input.method))?;
    let mut headers = Headers::new();
    for (name, value) in &input.of.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{name}` is no header name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of header `{name}` cannot be sent"))?;
        headers.append(header, value);
    }
    let request = Request {
        method,
        authority: Some(host.to_owned()),
        path: path(input),
        headers,
        ..Request::default()
    };
    let arrival = simulation.arrival(host, 80, false);
    let mut rng = || 0_u64;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut rng };
    let tables = &simulation.tables;
    let End::Http(end) = carry(tables, &arrival, &request, &mut env, &mut NoTrace).end else {
        return Ok(None);
    };
    let HttpEnd { manager, head, mut decision } = *end;
    if let (false, Some(mut head)) = (input.of.scheme.is_empty(), head) {
        input.of.scheme.clone_into(&mut head.scheme);
        decision = head.with(|head| decide(tables, manager, head, &mut env, &mut NoTrace));
    }
    Ok(match decision {
        Decision::Reply(reply) => reply.route.as_deref().and_then(rules::origin),
        Decision::Forward(forward) => rules::origin(&forward.route),
    })
}
