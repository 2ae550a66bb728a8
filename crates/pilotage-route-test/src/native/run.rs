//! Running a file of tests on a configuration.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use pilotage_config::Object;
use pilotage_explain::{Simulation, who};
use pilotage_model::{Inputs, ProxyClass, ProxyKind, Snapshot};

use super::check::mismatches;
use super::file::{Asker, Described, Kind, Test, TestCase, TestFile};
use super::outcome::outcome;
use super::request::{Mode, Request};
use crate::coverage::Coverage;
use crate::report::{Rule, Suite, TestResult, Verdict};
use crate::rules::{self, Rules};

/// A configuration that tests run on, with the proxies that asked so far.
#[derive(Debug)]
pub struct Stage {
    snapshot: Arc<Snapshot>,
    proxies: Vec<(ProxyClass, Simulation)>,
    rules: Rules,
}

impl Stage {
    /// The configuration of `inputs`.
    #[must_use]
    pub fn new(inputs: &Inputs) -> Self {
        let (snapshot, _) = pilotage_model::build(inputs);
        let objects: &[Arc<Object>] = &inputs.objects;
        Self { rules: Rules::of(objects), snapshot, proxies: Vec::new() }
    }

    /// Whether a test reached the rule at `path` of `object`.
    pub(crate) fn reached(&self, object: &str, path: &str) -> bool {
        self.rules.is_reached(object, path)
    }

    fn proxy(&mut self, class: ProxyClass) -> Option<&Simulation> {
        let known = self.proxies.iter().position(|(known, _)| *known == class);
        let index = known.unwrap_or_else(|| {
            let simulation = Simulation::new(&self.snapshot, &class);
            self.proxies.push((class, simulation));
            self.proxies.len() - 1
        });
        self.proxies.get(index).map(|(_, simulation)| simulation)
    }
}

/// Runs the tests of `file` on `stage`, and says which rules they reached.
#[must_use]
pub fn run(file: &TestFile, stage: &mut Stage) -> (Suite, Coverage) {
    let tests = file.tests.iter().map(|test| one(file, stage, test)).collect();
    (Suite { file: Arc::clone(&file.name), tests }, stage.rules.coverage())
}

/// Whether all tests of `file` pass on `stage`; ends with the first that does not.
pub(crate) fn hold(file: &TestFile, stage: &mut Stage) -> bool {
    file.tests.iter().all(|test| one(file, stage, test).passed())
}

fn one(file: &TestFile, stage: &mut Stage, test: &Test) -> TestResult {
    let case = &test.case;
    let asker = case.from.as_ref().or(file.from.as_ref());
    let mut result = TestResult {
        name: case.title(),
        place: test.place.clone(),
        asked: case.request.as_ref().map(ToString::to_string).unwrap_or_default(),
        from: Some(from_text(asker)),
        taken_by: None,
        verdict: Verdict::Passed,
    };
    match judged(file, stage, case, asker) {
        Ok((verdict, taken_by)) => {
            result.verdict = verdict;
            result.taken_by = taken_by;
        }
        Err(problem) => result.verdict = Verdict::Broken(problem),
    }
    result
}

fn judged(
    file: &TestFile,
    stage: &mut Stage,
    case: &TestCase,
    asker: Option<&Asker>,
) -> Result<(Verdict, Option<Rule>), String> {
    let request = case.request.as_ref().ok_or("there is no request")?;
    let class = class(file, &stage.snapshot, asker)?;
    let upstream = upstream_headers(case)?;
    let Some(simulation) = stage.proxy(class) else {
        return Err("the proxy cannot be simulated".to_owned());
    };
    let arrival = arrival(simulation, request);
    let outcome = outcome(&simulation.tables, &arrival, &request.to_send(), &upstream);
    let origin = outcome.route.as_deref().and_then(rules::origin);
    let found = mismatches(&case.expect.0, &outcome);
    let rule = origin.as_ref().map(|origin| {
        stage.rules.reach(origin);
        stage.rules.rule(origin)
    });
    let verdict = if found.is_empty() { Verdict::Passed } else { Verdict::Failed(found) };
    Ok((verdict, rule))
}

fn arrival(simulation: &Simulation, request: &Request) -> pilotage_explain::Arrival {
    let inbound = request.mode == Mode::Inbound;
    simulation.arrival(&request.url.host, request.url.port, inbound)
}

fn upstream_headers(case: &TestCase) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let headers = case.upstream_headers.iter().map(|(name, value)| {
        let read = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("upstreamHeaders: `{name}` is no header name"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("upstreamHeaders: the value of `{name}` cannot be sent"))?;
        Ok((read, value))
    });
    headers.collect()
}

/// The proxy that asks.
fn class(
    file: &TestFile,
    snapshot: &Snapshot,
    asker: Option<&Asker>,
) -> Result<ProxyClass, String> {
    match asker {
        None => Ok(described(&Described::default())),
        Some(Asker::Described(asker)) => Ok(described(asker)),
        Some(Asker::Named(name)) => match file.askers.get(name) {
            Some(Asker::Described(asker)) => Ok(described(asker)),
            Some(Asker::Named(other)) => {
                who::named(snapshot, other, "default").map_err(|problem| problem.to_string())
            }
            None => who::named(snapshot, name, "default").map_err(|problem| problem.to_string()),
        },
    }
}

fn described(asker: &Described) -> ProxyClass {
    let namespace = match (asker.namespace.as_str(), asker.proxy) {
        ("", Kind::Sidecar) => "default",
        ("", Kind::Gateway) => "istio-system",
        (namespace, _) => namespace,
    };
    ProxyClass {
        kind: match asker.proxy {
            Kind::Sidecar => ProxyKind::Sidecar,
            Kind::Gateway => ProxyKind::Gateway,
        },
        namespace: namespace.into(),
        labels: asker.labels.clone(),
        addresses: asker.address.iter().map(|address| address.0).collect(),
        service_account: asker.service_account.as_str().into(),
        ..ProxyClass::default()
    }
}

/// Who asks, for people.
fn from_text(asker: Option<&Asker>) -> String {
    let default = Described::default();
    let asker = match asker {
        Some(Asker::Named(name)) => return name.clone(),
        Some(Asker::Described(asker)) => asker,
        None => &default,
    };
    let class = described(asker);
    let mut text = format!("{} in {}", asker.proxy.as_str(), class.namespace);
    if !asker.labels.is_empty() {
        let labels = asker.labels.iter().map(|(key, value)| format!("{key}={value}"));
        text.push_str(&format!(" with {}", labels.collect::<Vec<_>>().join(",")));
    }
    text
}
