//! Random VirtualServices and random requests aimed at them, to a real Envoy and to our proxy: what clients and
//! upstreams see must agree.
//!
//! Rules are drawn with a seeded generator, so that a run can be repeated: `PILOTAGE_RANDOM_SEED` sets the seed,
//! `PILOTAGE_RANDOM_CASES` how many requests are sent. Nothing in the rules depends on chance or on the moment. A case
//! that differs is shrunk, to the fewest lines of YAML and of the request that still differ, and printed.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test reports on the terminal and may stop where it goes wrong"
)]

#[path = "envoy/ours.rs"]
mod ours;
#[path = "random/requests.rs"]
mod requests;
#[path = "random/rules.rs"]
mod rules;
#[path = "random/seen.rs"]
mod seen;
#[path = "random/shrink.rs"]
mod shrink;
#[path = "random/trial.rs"]
mod trial;
#[path = "random/world.rs"]
mod world;

use std::collections::BTreeMap;

use fastrand::Rng;
use pilotage_testkit::peers;

use self::trial::{Case, Difference, Trial};

/// Requests in a run, unless the environment says otherwise.
const CASES: usize = 3000;
/// Requests to one VirtualService.
const REQUESTS_PER_RULES: usize = 12;
/// VirtualServices in one Envoy.
const RULES_PER_TRIAL: usize = 250;
/// How many kinds of differences are shrunk and shown.
const SHOWN: usize = 4;

#[test]
fn envoy_and_we_do_the_same_with_random_rules() {
    let Some(program) = peers::require("envoy") else { return };
    let seed = setting("PILOTAGE_RANDOM_SEED").unwrap_or(1);
    let wanted = setting("PILOTAGE_RANDOM_CASES").map_or(CASES, |n| usize::try_from(n).unwrap());
    println!("seed {seed}, {wanted} requests");
    let mut random = Rng::with_seed(seed);
    let mut differences = Vec::new();
    let (mut asked, mut refused) = (0, 0);
    while asked < wanted {
        let mut trial = Trial::default();
        while trial.rules.len() < RULES_PER_TRIAL && asked < wanted {
            let rules = rules::draw(&mut random);
            if !world::is_valid(&rules) {
                refused += 1;
                continue;
            }
            for _ in 0..REQUESTS_PER_RULES.min(wanted - asked) {
                let probe = requests::draw(&mut random, &rules);
                trial.cases.push(Case { rules: trial.rules.len(), probe });
                asked += 1;
            }
            trial.rules.push(rules);
        }
        let outcome = trial.run(&program).unwrap();
        println!("{}", outcome.summary);
        differences.extend(outcome.differences);
    }
    println!("{asked} requests, {} differ; {refused} rules were not valid", differences.len());
    let kinds = by_kind(differences);
    let smallest = |all: &[Difference]| all.iter().min_by_key(|one| one.size()).unwrap().clone();
    for (kind, all) in &kinds {
        println!("{} cases differ in: {kind}\n{}", all.len(), smallest(all));
    }
    let mut report = String::new();
    for (kind, all) in kinds.iter().take(SHOWN) {
        let shrunk = shrink::shrink(smallest(all), &program);
        report.push_str(&format!("{} cases like this ({kind}):\n{shrunk}\n", all.len()));
    }
    assert!(report.is_empty(), "seed {seed}: Envoy and we differ, {} kinds\n{report}", kinds.len());
}

fn by_kind(all: Vec<Difference>) -> BTreeMap<String, Vec<Difference>> {
    let mut kinds: BTreeMap<String, Vec<Difference>> = BTreeMap::new();
    for difference in all {
        kinds.entry(difference.kind()).or_default().push(difference);
    }
    kinds
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
