//! Random pairs of VirtualServices and random requests: what the automata say of the pair never contradicts what the
//! engine does with a request.
//!
//! `PILOTAGE_RANDOM_SEED` sets the seed, `PILOTAGE_RANDOM_PAIRS` how many pairs are drawn.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test reports on the terminal and may stop where it goes wrong"
)]

#[path = "random/requests.rs"]
#[expect(dead_code, reason = "bodies and scripts of upstreams are for tests with sockets")]
mod requests;
#[path = "random/rules.rs"]
mod rules;
#[path = "random/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pilotage_config::mesh::MeshConfig;
use pilotage_engine::{Env, NoTrace, Tables};
use pilotage_explain::{Arrival, End, carry, simulation};
use pilotage_symbolic::{Difference, Request, difference, difference_up_to, judge};
use pilotage_testkit::ours::Ours;
use pilotage_testkit::replay;
use pilotage_testkit::vectors::{Asker, Exchange, Request as Sent};
use serde_json::{Value, json};

use self::requests::Probe;

/// Pairs in a run, unless the environment says otherwise.
const PAIRS: usize = 250;
const REQUESTS_PER_PAIR: usize = 24;

/// One generation of rules with its tables.
struct Side {
    rules: Value,
    tables: Arc<Tables>,
}

impl Side {
    fn new(rules: Value) -> Self {
        let text = world::yaml(0, &rules);
        let files = [("world.yaml".to_owned(), world::WORLD), ("rules.yaml".to_owned(), &*text)];
        let ours = Ours::of(&files, MeshConfig::default());
        assert_eq!(ours.refusals().count(), 0, "{:?}", ours.refusals().next());
        let tables = simulation::tables(&ours.resources(&asker())).0;
        Self { rules, tables }
    }
}

fn asker() -> Asker {
    Asker {
        name: "client".into(),
        kind: "sidecar".into(),
        namespace: "default".into(),
        ip: "10.1.9.9".into(),
        ..Asker::default()
    }
}

#[test]
fn sampled_outcomes_never_contradict_the_automata() {
    let seed = setting("PILOTAGE_RANDOM_SEED").unwrap_or(1);
    let pairs = setting("PILOTAGE_RANDOM_PAIRS").map_or(PAIRS, |n| usize::try_from(n).unwrap());
    println!("seed {seed}, {pairs} pairs");
    let mut random = Rng::with_seed(seed);
    let (mut asked, mut changed, mut same, mut undecided) = (0, 0, 0, 0);
    for _ in 0..pairs {
        let old = Side::new(valid(&mut random));
        let new = Side::new(successor(&mut random, &old.rules));
        let found = difference(&old.tables, &new.tables);
        assert!(found.mistakes.is_empty(), "seed {seed}: {}", told(&old, &new, &found));
        undecided += found.undecided.len();
        same += usize::from(found.requests.is_empty());
        for _ in 0..REQUESTS_PER_PAIR {
            let aim = if random.bool() { &old.rules } else { &new.rules };
            let probe = requests::draw(&mut random, aim);
            // With a dot at its end it is another host.
            let Some(request) = routed(&old.tables, &probe).filter(|_| probe.after_host != ".")
            else {
                continue;
            };
            asked += 1;
            changed += usize::from(check(seed, (&old, &new), &found, &probe, &request));
        }
    }
    println!("{asked} requests, {changed} of them change; {same} pairs are the same");
    assert_eq!(undecided, 0, "seed {seed}: these rules are simple");
    assert!(
        changed > asked / 20 && same > 0,
        "the pairs are no test: {changed} of {asked}, {same}"
    );
}

/// What becomes of `[old, new]` rules, as JSON lists of `http`.
fn compared(old: &Value, new: &Value) -> Difference {
    let [old, new] = [old, new].map(|http| Side::new(json!({"root": {"http": http}})));
    let found = difference(&old.tables, &new.tables);
    assert!(found.mistakes.is_empty(), "{}", told(&old, &new, &found));
    found
}

fn to(subset: &str) -> Value {
    json!([{"destination": {"host": "backend.test", "subset": subset}}])
}

/// Conditions of each change, in words.
fn conditions(found: &Difference) -> Vec<Vec<String>> {
    let of = |formulas: &[pilotage_symbolic::Formula]| {
        formulas.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    found.requests.iter().map(|change| of(&change.alternatives)).collect()
}

#[test]
fn what_means_the_same_is_no_change() {
    let uri = |uri: Value| json!([{"uri": uri}]);
    let rule = |uri: Value, subset| json!({"match": [{"uri": uri}], "route": to(subset)});
    let rest = json!({"route": to("v3")});
    for (what, old, new) in [
        (
            "rules that exclude each other change places",
            json!([rule(json!({"prefix": "/a"}), "v1"), rule(json!({"prefix": "/b"}), "v2"), rest]),
            json!([rule(json!({"prefix": "/b"}), "v2"), rule(json!({"prefix": "/a"}), "v1"), rest]),
        ),
        (
            "a rule is split in two",
            json!([rule(json!({"regex": "/(a|b)/.*"}), "v1"), rest]),
            json!([
                rule(json!({"prefix": "/a/"}), "v1"),
                rule(json!({"regex": "/b/.*"}), "v1"),
                rest
            ]),
        ),
        (
            "a regular expression becomes prefixes",
            json!([rule(json!({"regex": "/(api|web)/.*"}), "v1"), rest]),
            json!([{
                "match": [{"uri": {"prefix": "/api/"}}, {"uri": {"prefix": "/web/"}}],
                "route": to("v1")
            }, rest]),
        ),
        (
            "a rule that never matched goes",
            json!([
                rule(json!({"prefix": "/a"}), "v1"),
                rule(json!({"exact": "/a/b"}), "v2"),
                rest
            ]),
            json!([rule(json!({"prefix": "/a"}), "v1"), rest]),
        ),
        (
            "weights keep their shares",
            json!([{"route": [
                {"destination": {"host": "backend.test", "subset": "v1"}, "weight": 50},
                {"destination": {"host": "backend.test", "subset": "v2"}, "weight": 50}]}]),
            json!([{"route": [
                {"destination": {"host": "backend.test", "subset": "v2"}, "weight": 1},
                {"destination": {"host": "backend.test", "subset": "v1"}, "weight": 1}]}]),
        ),
        (
            "a longer prefix is rewritten accordingly",
            json!([{"match": uri(json!({"prefix": "/a"})), "rewrite": {"uri": "/x"},
                "route": to("v1")}]),
            json!([{"match": uri(json!({"prefix": "/a/b"})), "rewrite": {"uri": "/x/b"},
                "route": to("v1")},
                {"match": uri(json!({"prefix": "/a"})), "rewrite": {"uri": "/x"},
                "route": to("v1")}]),
        ),
        (
            "what no path can be after normalization",
            json!([rule(json!({"prefix": "/a/../b"}), "v1"), rest]),
            json!([rest]),
        ),
        (
            "a condition and its opposite",
            json!([{"match": [{"headers": {"x-a": {"exact": "1"}}}], "route": to("v1")},
                {"match": [{"withoutHeaders": {"x-a": {"exact": "1"}}}], "route": to("v2")}]),
            json!([{"match": [{"headers": {"x-a": {"exact": "1"}}}], "route": to("v1")},
                {"route": to("v2")}]),
        ),
    ] {
        let found = compared(&old, &new);
        assert!(found.requests.is_empty(), "{what}: {:?}", found.requests);
        assert!(found.undecided.is_empty(), "{what}");
        let back = compared(&new, &old);
        assert!(back.requests.is_empty(), "{what}, the other way: {:?}", back.requests);
    }
}

#[test]
fn changes_are_told_in_few_words() {
    let admin = json!({"match": [{"uri": {"prefix": "/admin"}}], "route": to("v3")});
    let jason = json!({"match": [{"headers": {"end-user": {"exact": "jason"}}}],
        "route": to("v2")});
    let rest = json!({"route": to("v1")});
    let found = compared(&json!([admin, rest]), &json!([admin, jason, rest]));
    let expected = "header end-user = jason, path not starting with /admin";
    assert_eq!(conditions(&found), [[expected]]);
    assert_eq!(found.requests[0].witness.to_string(), "GET http://v0.test/  end-user: jason");

    let slow = json!([{"route": to("v1"), "timeout": "5s"}]);
    let found = compared(&json!([rest]), &slow);
    assert_eq!(conditions(&found), [[""]]);
    assert_eq!(found.requests[0].changes[0].becomes, "timeout 5 s");

    // All rules change in the same way: that is all requests.
    let with_timeout = |rule: &Value| {
        let mut rule = rule.clone();
        rule["timeout"] = json!("5s");
        rule
    };
    let new = json!([with_timeout(&admin), with_timeout(&jason), with_timeout(&rest)]);
    let found = compared(&json!([admin, jason, rest]), &new);
    assert_eq!(conditions(&found), [[""]]);

    let found = compared(
        &json!([rest]),
        &json!([{"match": [{"queryParams": {"q": {"exact": "1"}}}, {"method": {"exact": "POST"}}],
            "route": to("v2")}, rest]),
    );
    let expected = ["query parameter q = 1", "method = POST, query parameter q ≠ 1"];
    assert_eq!(conditions(&found), [expected]);
}

#[test]
fn what_is_too_complex_is_sampled_and_said_to_be() {
    let hostile = json!({"match": [{"uri": {"regex": "/(a|b)*a(a|b){30}"}}], "route": to("v1")});
    let rest = json!({"route": to("v2")});
    let found = compared(&json!([hostile, rest]), &json!([rest]));
    assert_eq!(found.undecided.len(), 1);
    assert!(found.requests.iter().all(|change| change.sampled), "{:?}", found.requests);
    assert_eq!(found.requests.len(), 1, "the sampler makes texts that the expression matches");
    // Many conditions are no reason: these have 2^24 combinations.
    let rules = |last: &str| {
        let mut rules: Vec<Value> = (0..24)
            .map(|n| {
                json!({"match": [{"headers": {format!("a{n}"): {"exact": "1"},
                    format!("b{n}"): {"exact": "1"}}}], "route": to("v1")})
            })
            .collect();
        rules.push(json!({"route": to(last)}));
        json!(rules)
    };
    let found = compared(&rules("v2"), &rules("v3"));
    assert!(found.undecided.is_empty());
    assert_eq!(found.requests.len(), 1);
}

#[test]
fn of_very_many_kinds_some_are_told_and_the_others_counted() {
    // In the other order each rule meets all those that were before it.
    let rules = |extra: u32, order: &mut dyn Iterator<Item = u32>| {
        let rule = |n| {
            let timeout = format!("{}s", n + extra);
            json!({"match": [{"headers": {format!("h{n}"): {}}}], "route": to("v1"), "timeout": timeout})
        };
        json!(order.map(rule).collect::<Vec<_>>())
    };
    let [old, new] = [rules(1, &mut (0..50)), rules(100, &mut (0..50).rev())]
        .map(|http| Side::new(json!({"root": {"http": http}})));
    let all = difference(&old.tables, &new.tables);
    assert_eq!((all.requests.len(), all.more_requests.len()), (50 * 51 / 2, 0));
    assert!(all.unfinished.is_empty() && all.undecided.is_empty());
    let few = difference_up_to(&old.tables, &new.tables, 20);
    assert_eq!((few.requests.len(), few.more_requests.len()), (20, 1_000 - 20));
    assert_eq!(few.unfinished.len(), 1);
    assert!(few.mistakes.is_empty() && all.mistakes.is_empty());
}

#[test]
fn rules_that_never_match_are_found_with_who_takes_their_requests() {
    let rule = |uri: Value, subset| json!({"match": [{"uri": uri}], "route": to(subset)});
    let side = Side::new(json!({"root": {"http": [
        rule(json!({"prefix": "/api"}), "v1"),
        rule(json!({"prefix": "/web"}), "v1"),
        rule(json!({"regex": "/(api|web)/v[0-9]"}), "v2"),
        rule(json!({"exact": "/new"}), "v2"),
        {"route": to("v3")},
    ]}}));
    let found = pilotage_symbolic::reachability([&*side.tables]);
    assert!(found.undecided.is_empty());
    let [dead] = found.unreachable.as_slice() else { panic!("{found:?}") };
    assert_eq!(dead.origin.path, "spec.http[2]");
    let by: Vec<&str> = dead.taken_by.iter().map(|origin| &*origin.path).collect();
    assert_eq!(by, ["spec.http[0]", "spec.http[1]"]);
    let (request, taker) = dead.example.as_ref().unwrap();
    assert_eq!(request.to_string(), "GET http://v0.test/api/v0");
    assert_eq!(taker.as_ref().unwrap().path, "spec.http[0]");
}

/// Compares what is known of one request; says whether it changes.
fn check(
    seed: u64,
    (old, new): (&Side, &Side),
    found: &Difference,
    probe: &Probe,
    request: &Request,
) -> bool {
    let context = || format!("seed {seed}: {request}\n{}", told(old, new, found));
    let judged = judge(&old.tables, &new.tables, "80", request)
        .unwrap_or_else(|| panic!("cannot be sent: {}", context()));
    let classes: Vec<_> = found
        .requests
        .iter()
        .filter(|change| change.hosts.iter().any(|host| host.name == world::host(0)))
        .filter(|change| change.alternatives.iter().any(|formula| formula.holds(request)))
        .collect();
    match classes.as_slice() {
        [] => assert!(judged.is_empty(), "{judged:?} is not reported: {}", context()),
        [class] => assert_eq!(judged, class.changes, "{}", context()),
        _ => panic!("in {} classes: {}", classes.len(), context()),
    }
    // What is seen on the wire differs only where something changes.
    let seen = [old, new].map(|side| seen(&side.tables, probe));
    let [before, after] = seen;
    assert!(!judged.is_empty() || before == after, "{before}\n{after}\n{}", context());
    !judged.is_empty()
}

/// A specification that loads.
fn valid(random: &mut Rng) -> Value {
    loop {
        let rules = rules::draw(random);
        if world::is_valid(&rules) {
            return rules;
        }
    }
}

/// Rules that have something to do with `old`, or nothing.
fn successor(random: &mut Rng, old: &Value) -> Value {
    for _ in 0..20 {
        let mut rules = old.clone();
        let other = valid(random);
        let http = rules["root"]["http"].as_array_mut().unwrap();
        let fresh = other["root"]["http"][0].clone();
        let at = random.usize(..http.len());
        match random.u32(..7) {
            0 => drop(http.remove(at)),
            1 => http.insert(at, fresh),
            2 => {
                let with = random.usize(..http.len());
                http.swap(at, with);
            }
            3 => {
                http[at]["match"] =
                    fresh.get("match").cloned().unwrap_or(json!([{"uri": {"prefix": "/"}}]))
            }
            4 => http[at]["timeout"] = json!("7s"),
            5 => {
                let again = http[at].clone();
                http.insert(at, again);
            }
            _ => rules = other,
        }
        if rules.to_string().contains("\"delegate\"") == rules.get("delegate").is_some()
            && world::is_valid(&rules)
        {
            return rules;
        }
    }
    old.clone()
}

/// The request as its route is looked for; nothing when it does not get there.
fn routed(tables: &Tables, probe: &Probe) -> Option<Request> {
    let sent = exchange(probe);
    let arrival = Arrival {
        client: "10.1.9.9:40000".parse().unwrap(),
        destination: sent.destination.parse().unwrap(),
        inbound: false,
    };
    let headers = probe.headers.iter().map(|(name, value)| {
        let name: http::HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    let mut request = pilotage_explain::Request {
        method: probe.method.parse().unwrap(),
        authority: sent.request.host.clone(),
        path: probe.path.clone(),
        ..pilotage_explain::Request::default()
    };
    for (name, value) in headers {
        request.headers.append(name, value);
    }
    let mut chance = || 0;
    let mut env = Env { now: Duration::ZERO, unix_time: Duration::ZERO, rng: &mut chance };
    let End::Http(end) = carry(tables, &arrival, &request, &mut env, &mut NoTrace).end else {
        return None;
    };
    let head = end.head?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in head.headers.iter() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if headers.insert(name.to_string(), value).is_some() {
            // Requests of the model send each header once.
            return None;
        }
    }
    headers.remove("x-forwarded-proto");
    Some(Request {
        method: head.method.to_string(),
        scheme: head.scheme,
        authority: head.authority,
        path: head.path,
        headers: headers.into_iter().collect(),
    })
}

fn exchange(probe: &Probe) -> Exchange {
    let request = Sent {
        host: Some(format!("{}{}", world::host(0), probe.after_host)),
        path: Some(probe.path.clone()),
        method: Some(probe.method.clone()),
        headers: probe.headers.iter().cloned().collect(),
        ..Sent::default()
    };
    let destination = SocketAddr::from(([240, 240, 0, 1], 80)).to_string();
    Exchange { request, destination, recorded: Value::Null }
}

/// What client and upstream see, without the names of routes.
fn seen(tables: &Tables, probe: &Probe) -> String {
    let outcomes = replay::drawn(tables, &asker(), &exchange(probe), 1);
    let mut seen = json!(outcomes);
    forget(&mut seen);
    seen.to_string()
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["route", "statistics", "x-envoy-decorator-operation"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn told(old: &Side, new: &Side, found: &Difference) -> String {
    let changes: Vec<String> = found
        .requests
        .iter()
        .map(|change| {
            let formulas: Vec<String> =
                change.alternatives.iter().map(ToString::to_string).collect();
            format!("{:?} {formulas:?} {:?}", change.hosts, change.changes)
        })
        .collect();
    format!(
        "old {}\nnew {}\nreported:\n{}\nmistakes {:?}",
        old.rules,
        new.rules,
        changes.join("\n"),
        found.mistakes
    )
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
