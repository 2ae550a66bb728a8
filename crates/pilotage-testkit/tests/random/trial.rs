//! Many rules and requests at once, in one Envoy and in one proxy of ours.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pilotage_config::mesh::MeshConfig;
use pilotage_testkit::differential::Bed;
use pilotage_testkit::echo::Echo;
use pilotage_testkit::envoy::Envoy;
use pilotage_testkit::ours::Ours;
use pilotage_testkit::resources;
use pilotage_testkit::vectors::Asker;
use pilotage_testkit::wire;
use serde_json::Value;

use super::ours;
use super::requests::Probe;
use super::seen::{self, Facts};
use super::world::{WORLD, host, objects, yaml};

/// Clients at the same time.
const CLIENTS: usize = 12;
/// A case is different when it was so this many times in a row: a busy machine may be late once.
const TRIES: usize = 3;
/// How long mirrored copies may be under way.
const COPIES_LATE: Duration = Duration::from_secs(3);

/// Rules, and requests to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trial {
    /// `root` and perhaps `delegate`: specs of VirtualServices without hosts.
    pub(crate) rules: Vec<Value>,
    pub(crate) cases: Vec<Case>,
}

/// A request, and the number of the rules that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) rules: usize,
    pub(crate) probe: Probe,
}

/// What a trial found.
pub(crate) struct Outcome {
    pub(crate) summary: String,
    pub(crate) differences: Vec<Difference>,
}

/// A case in which Envoy and we part.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) rules: Value,
    pub(crate) probe: Probe,
    /// Fact, Envoy's, ours.
    pub(crate) apart: Vec<(String, String, String)>,
}

impl Trial {
    /// Sends all requests to both proxies.
    ///
    /// # Errors
    /// When Envoy does not start with these rules, or no socket can be had.
    pub(crate) fn run(&self, program: &Path) -> io::Result<Outcome> {
        let begun = Instant::now();
        let echo = Echo::start()?;
        let mut bed = Bed::exact();
        let listeners = bed.add("random", &self.compiled(), echo.port);
        let listener = listeners.iter().find(|name| name.ends_with("/80")).unwrap();
        let envoy = Envoy::start(program, &bed.bootstrap())?;
        let theirs = envoy.listeners()?[listener];
        let (_handle, mine) = ours::start(&bed, 1);
        let asking = Asking { trial: self, echo: &echo, bed: &bed, theirs, ours: mine[listener] };
        let ready = begun.elapsed();
        let (differences, again) = asking.all();
        let summary = format!(
            "{} VirtualServices, {} requests: ready after {ready:.1?}, done after {:.1?}, {again} asked again",
            self.rules.len(),
            self.cases.len(),
            begun.elapsed()
        );
        Ok(Outcome { summary, differences })
    }

    fn compiled(&self) -> Value {
        let texts: Vec<String> = self.rules.iter().enumerate().map(|(n, r)| yaml(n, r)).collect();
        let mut files = vec![("world.yaml".to_owned(), WORLD)];
        files
            .extend(texts.iter().enumerate().map(|(n, text)| (format!("{n}.yaml"), text.as_str())));
        let ours = Ours::of(&files, MeshConfig::default());
        assert_eq!(ours.refusals().count(), 0, "{:?}", ours.refusals().next());
        let asker = Asker {
            name: "client".into(),
            kind: "sidecar".into(),
            namespace: "default".into(),
            ip: "10.1.9.9".into(),
            ..Asker::default()
        };
        resources::to_dump(&ours.resources(&asker))
    }
}

/// What became of a request, apart from what upstreams saw of it.
struct Seen {
    /// By which upstreams' records know it.
    name: String,
    answer: Facts,
}

/// Clients at work.
struct Asking<'a> {
    trial: &'a Trial,
    echo: &'a Echo,
    bed: &'a Bed,
    theirs: SocketAddr,
    ours: SocketAddr,
}

impl Asking<'_> {
    /// Differences in the order of the cases, and how many cases were asked more than once.
    fn all(&self) -> (Vec<Difference>, usize) {
        let next = AtomicUsize::new(0);
        let again = AtomicUsize::new(0);
        let asked = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(case) = self.trial.cases.get(number) else { return };
                        let seen = self.asked(number, case, &again);
                        asked.lock().unwrap().push((number, seen));
                    }
                });
            }
        });
        let mut asked = asked.into_inner().unwrap();
        asked.sort_by_key(|(number, _)| *number);
        let found = asked.into_iter().filter_map(|(number, seen)| {
            // Nobody waited for copies that Envoy does not send: they have arrived by now.
            let apart = self.apart(&seen);
            let Case { rules, probe, .. } = &self.trial.cases[number];
            let (rules, probe) = (self.trial.rules[*rules].clone(), probe.clone());
            (!apart.is_empty()).then_some(Difference { rules, probe, apart })
        });
        (found.collect(), again.into_inner())
    }

    /// What both sides did, in the end: once it was the same, or when the tries are used up.
    fn asked(&self, number: usize, case: &Case, again: &AtomicUsize) -> [Seen; 2] {
        let ask = |attempt: usize| {
            let theirs = self.ask(self.theirs, case, format!("e{number}-{attempt}"));
            [theirs, self.ask(self.ours, case, format!("o{number}-{attempt}"))]
        };
        let mut seen = ask(0);
        for attempt in 1..TRIES {
            if self.settled(&seen) {
                return seen;
            }
            if attempt == 1 {
                again.fetch_add(1, Ordering::Relaxed);
            }
            seen = ask(attempt);
        }
        self.settled(&seen);
        seen
    }

    fn ask(&self, address: SocketAddr, case: &Case, name: String) -> Seen {
        let begun = Instant::now();
        let answer = ask(address, &case.probe.bytes(&host(case.rules), &name));
        Seen { answer: seen::answer(answer, begun.elapsed(), &self.bed.by_address), name }
    }

    /// Whether all is alike once everything has arrived: copies may be late.
    fn settled(&self, seen: &[Seen; 2]) -> bool {
        let deadline = Instant::now() + COPIES_LATE;
        loop {
            let apart = self.apart(seen);
            let late =
                apart.iter().all(|(name, ..)| name.starts_with("upstream outbound|80||shad"));
            if apart.is_empty() || !late || Instant::now() > deadline {
                return apart.is_empty();
            }
            std::thread::sleep(Duration::from_millis(5)); // between two looks
        }
    }

    /// What is not alike, of all that has arrived so far.
    fn apart(&self, seen: &[Seen; 2]) -> Vec<(String, String, String)> {
        let [theirs, ours] = seen.each_ref().map(|Seen { name, answer }| {
            let mut facts = answer.clone();
            facts.extend(seen::arrivals(&self.echo.arrivals(name), &self.bed.by_address));
            facts
        });
        seen::apart(&theirs, &ours)
    }
}

/// As [`wire::ask`], but a client that gives up sooner: some upstreams never answer.
fn ask(address: SocketAddr, bytes: &[u8]) -> io::Result<Option<wire::Message>> {
    const PATIENCE: Duration = Duration::from_secs(4);
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    wire::ask_on(stream, bytes)
}

impl Difference {
    /// The names of the facts, without what differs from rule to rule.
    pub(crate) fn kind(&self) -> String {
        let mut names: Vec<String> = self
            .apart
            .iter()
            .map(|(name, theirs, ours)| match name.split_once(" #") {
                Some((_, fact)) => {
                    format!("upstream {}", fact.split_once(' ').map_or(fact, |(_, f)| f))
                }
                None if name == "status" => format!("status {theirs} {ours}"),
                None => name.clone(),
            })
            .collect();
        names.sort();
        names.dedup();
        names.truncate(4);
        names.join(", ")
    }

    pub(crate) fn size(&self) -> usize {
        self.rules.to_string().len() + self.probe.bytes("", "").len()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for object in objects(0, &self.rules) {
            writeln!(f, "  {}", object["spec"])?;
        }
        let bytes = self.probe.bytes(&host(0), "…");
        for line in String::from_utf8_lossy(&bytes).lines() {
            writeln!(f, "  | {line}")?;
        }
        for (name, theirs, ours) in &self.apart {
            writeln!(f, "    {name}: Envoy `{theirs}` ours `{ours}`")?;
        }
        Ok(())
    }
}
