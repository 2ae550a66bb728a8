//! Rules whose requests are all taken by earlier ones, proved on the routes that are made of them (PIL0315).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::object::Kind;
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Code, Diagnostic, FieldPath, Object, codes, load};
use pilotage_control::identities::Identities;
use pilotage_engine::Tables;
use pilotage_explain::simulation;
use pilotage_model::{ProxyClass, build_after};
use pilotage_symbolic::{Origin, UnreachableRule, reachability};

use crate::inputs::Configuration;

/// The analyzer's name.
pub(super) const NAME: &str = "pilotage.UnreachedRuleAnalyzer";
/// What it looks for.
pub(super) const DESCRIPTION: &str = "Proves that rules of VirtualServices get requests";

/// Proxies that are looked at, at most: each costs about as much as everything else here.
const MOST_PROXIES: usize = 6;
/// Rules that are named one by one, at most.
const MOST_NAMED: usize = 3;
/// Codes of problems because of which a rule gets no requests.
const SAME: [Code; 4] = [codes::IST0130, codes::IST0131, codes::PIL0306, codes::PIL0313];

/// Something that listens where any VirtualService for sidecars counts, as its host need not be known to be routed. The
/// second port is one that no rule asks for: what depends on the port is not the same on both.
const LISTENERS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pilotage-analyze-listeners, namespace: default}
spec:
  hosts: [pilotage-analyze-listeners.invalid]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 65535, name: http-any, protocol: HTTP}]
";

/// One problem for each rule that gets no request, and for each such match block of other rules. What `known` tells of
/// already is left out.
pub(super) fn analyze(configuration: &Configuration, known: &[Diagnostic]) -> Vec<Diagnostic> {
    let found = reachability(proxies(configuration).into_iter().flatten()).unreachable;
    let objects: BTreeMap<String, &Object> =
        configuration.objects.iter().map(|object| (object.to_string(), &**object)).collect();
    let told = told(known);
    let dead: BTreeSet<&Origin> = found.iter().map(|rule| &rule.origin).collect();
    let mut whole = BTreeSet::new();
    let mut problems = Vec::new();
    for rule in &found {
        let Some(object) = objects.get(&rule.origin.object) else { continue };
        let at = place(&rule.origin, object, &dead);
        let is_told = told.get(&rule.origin.object).is_some_and(|paths| {
            paths.iter().any(|path| within(path, &at) || within(&rule.origin.path, path))
        });
        // Alternatives of one rule may well overlap.
        let only_itself = rule.taken_by.iter().all(|by| rule_of(by) == rule_of(&rule.origin));
        if !is_told && !only_itself && whole.insert((&rule.origin.object, at.clone())) {
            problems.push(problem(object, &at, rule, &objects));
        }
    }
    problems
}

/// The rule as a whole, when none of its match blocks gets a request; else the block.
fn place(origin: &Origin, object: &Object, dead: &BTreeSet<&Origin>) -> String {
    let rule = origin.rule();
    let index = rule.strip_prefix("spec.http[").and_then(|rest| rest.strip_suffix(']'));
    let blocks = match (&object.body, index.and_then(|index| index.parse::<usize>().ok())) {
        (Kind::VirtualService(spec), Some(index)) => {
            spec.http.get(index).map_or(0, |rule| rule.match_.len())
        }
        _ => 0,
    };
    let is_dead = |index| {
        let path = format!("{rule}.match[{index}]");
        dead.contains(&Origin { object: origin.object.clone(), path })
    };
    if (0..blocks).all(is_dead) { rule.to_owned() } else { origin.path.clone() }
}

/// The object and rule of a rule or match block.
fn rule_of(origin: &Origin) -> (&str, &str) {
    (&origin.object, origin.rule())
}

/// The places, by object, of problems because of which a rule gets no requests.
fn told(known: &[Diagnostic]) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in known.iter().filter(|problem| SAME.contains(&problem.code)) {
        let (Some(object), Some(path)) = (&problem.object, &problem.path) else { continue };
        told.entry(object.to_string()).or_default().push(path.as_str().to_owned());
    }
    told
}

/// Whether the field `inner` is `outer` or a part of it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn problem(
    object: &Object,
    at: &str,
    rule: &UnreachableRule,
    objects: &BTreeMap<String, &Object>,
) -> Diagnostic {
    let mut takers: Vec<(&str, &str)> = Vec::new();
    for taker in rule.taken_by.iter().map(rule_of) {
        if !takers.contains(&taker) {
            takers.push(taker);
        }
    }
    let title = |(owner, path): &(&str, &str)| {
        let path = path.strip_prefix("spec.").unwrap_or(path);
        if *owner == rule.origin.object { path.to_owned() } else { format!("{owner} {path}") }
    };
    let mut names: Vec<String> = takers.iter().take(MOST_NAMED).map(title).collect();
    if let Some(more) = takers.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let (by, what) = match names.as_slice() {
        [only] => (only.clone(), "takes every request that it is for"),
        [first @ .., last] => (
            format!("{} and {last}", first.join(", ")),
            "together take every request that it is for",
        ),
        [] => (String::new(), ""),
    };
    let short = at.strip_prefix("spec.").unwrap_or(at);
    let message = format!("{} `{short}` is never reached: {by} {what}", noun(at));
    let mut problem =
        object.diagnostic(codes::PIL0315, &FieldPath::from(at), message, "gets no requests");
    let example = rule.example.as_ref();
    let goes_to = example.and_then(|(_, taker)| taker.as_ref()).map(rule_of);
    for taker in takers.iter().take(MOST_NAMED) {
        let Some(owner) = objects.get(taker.0) else { continue };
        let label = match example.filter(|_| goes_to == Some(*taker)) {
            Some((request, _)) => format!("for instance {request} goes here"),
            None => "takes some of them".to_owned(),
        };
        problem = owner.also(problem, &FieldPath::from(taker.1), label);
    }
    problem.help(match names.len() {
        1 => format!("put it before {by}, or remove it"),
        _ => "put it before them, or remove it".to_owned(),
    })
}

fn noun(at: &str) -> &'static str {
    if at.contains(".match[") { "match block" } else { "rule" }
}

/// The tables of those proxies that see something to decide about, made one after the other.
fn proxies(configuration: &Configuration) -> Option<impl Iterator<Item = Arc<Tables>>> {
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    let mut any = false;
    for object in &configuration.objects {
        let Kind::VirtualService(spec) = &object.body else { continue };
        any |= has_alternatives(spec);
        let is_private = !spec.export_to.is_empty() && !spec.export_to.iter().any(|to| to == "*");
        if is_private && has_alternatives(spec) {
            namespaces.insert(object.namespace());
        }
    }
    if !any {
        return None;
    }
    namespaces.remove("default");
    let listeners = load("", LISTENERS).objects.into_iter().map(Arc::new);
    let objects: Vec<Arc<Object>> =
        configuration.objects.iter().cloned().chain(listeners).collect();
    let snapshot = build_after(None, &objects, &configuration.mesh);
    let sidecar =
        |namespace: &str| ProxyClass { namespace: namespace.into(), ..ProxyClass::default() };
    let gateways = Identities { sidecar: None, gateways: true }.proxies(&snapshot).into_values();
    let sidecars = ["default"].into_iter().chain(namespaces).map(sidecar);
    let mut all: Vec<ProxyClass> = sidecars.take(MOST_PROXIES).collect();
    all.extend(gateways.take(MOST_PROXIES));
    Some(all.into_iter().map(move |who| {
        let view = pilotage_model::view(&snapshot, &who);
        simulation::tables(&pilotage_compile::resources(&view)).0
    }))
}

/// Whether a rule of it may stand before another one.
fn has_alternatives(spec: &VirtualService) -> bool {
    spec.http.len() > 1 || spec.hosts.is_empty()
}
