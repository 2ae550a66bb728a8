//! From a case that differs to the smallest one that still does.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::requests::Probe;
use super::trial::{Case, Difference, Trial};
use super::world::is_valid;

/// Every round runs both proxies with all candidates.
const ROUNDS: usize = 25;
/// Whoever waits wants to see something.
const LONGEST: Duration = Duration::from_secs(60);
/// Candidates of one round.
const CANDIDATES: usize = 200;

/// Leaves out what can be left out.
pub(crate) fn shrink(mut smallest: Difference, program: &Path) -> Difference {
    let facts: BTreeSet<String> = facts(&smallest);
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        if begun.elapsed() > LONGEST {
            break;
        }
        let mut trial = Trial::default();
        for (rules, probe) in candidates(&smallest).into_iter().take(CANDIDATES) {
            trial.cases.push(Case { rules: trial.rules.len(), probe });
            trial.rules.push(rules);
        }
        // Envoy may refuse what Istio takes; then this is as small as it gets.
        let Ok(outcome) = trial.run(program) else { break };
        let alike = |other: &&Difference| self::facts(other).intersection(&facts).next().is_some();
        let found = outcome.differences.iter().filter(alike);
        let Some(smaller) = found.min_by_key(|other| other.size()) else { break };
        smallest = smaller.clone();
    }
    smallest
}

/// The names of what differs, without clusters.
fn facts(difference: &Difference) -> BTreeSet<String> {
    let names = difference.apart.iter().map(|(name, ..)| name);
    names.map(|name| name.rsplit('#').next().unwrap_or(name).to_owned()).collect()
}

/// The case with one thing left out, the largest things first.
fn candidates(of: &Difference) -> Vec<(Value, Probe)> {
    let mut all: Vec<(Value, Probe)> = Vec::new();
    let mut paths = Vec::new();
    places(&of.rules, &mut Vec::new(), &mut paths);
    for path in paths {
        let mut rules = of.rules.clone();
        remove(&mut rules, &path);
        if is_valid(&rules) {
            all.push((rules, of.probe.clone()));
        }
    }
    all.extend(probes(&of.probe).into_iter().map(|probe| (of.rules.clone(), probe)));
    all.sort_by_key(|(rules, probe)| rules.to_string().len() + probe.bytes("", "").len());
    all
}

/// The ways to everything inside of `value`.
fn places(value: &Value, way: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return,
    };
    for (step, value) in inside {
        way.push(step);
        found.push(way.clone());
        places(value, way, found);
        way.pop();
    }
}

fn remove(value: &mut Value, way: &[String]) {
    let Some((last, to)) = way.split_last() else { return };
    let holder = to.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    });
    match holder {
        Some(Value::Object(fields)) => drop(fields.remove(last)),
        Some(Value::Array(items)) => drop(items.remove(last.parse().unwrap())),
        _ => {}
    }
}

fn probes(of: &Probe) -> Vec<Probe> {
    let mut all = Vec::new();
    for index in 0..of.headers.len() {
        let mut probe = of.clone();
        probe.headers.remove(index);
        all.push(probe);
    }
    for index in 0..of.script.len() {
        let mut probe = of.clone();
        probe.script.remove(index);
        all.push(probe);
    }
    let mut with = |change: &dyn Fn(&mut Probe)| {
        let mut probe = of.clone();
        change(&mut probe);
        if probe != *of {
            all.push(probe);
        }
    };
    with(&|probe| probe.body_bytes = 0);
    with(&|probe| probe.after_host.clear());
    with(&|probe| probe.method = "GET".to_owned());
    with(&|probe| probe.path = probe.path.split('?').next().unwrap_or("/").to_owned());
    with(&|probe| probe.path = "/".to_owned());
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{places, remove};

    #[test]
    fn everything_can_be_left_out() {
        let value = json!({"a": [1, {"b": 2}]});
        let mut found = Vec::new();
        places(&value, &mut Vec::new(), &mut found);
        assert_eq!(found.len(), 4);
        let mut rest = value.clone();
        remove(&mut rest, &found[3]);
        assert_eq!(rest, json!({"a": [1, {}]}));
    }
}
