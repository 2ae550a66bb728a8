//! Names of DNS clusters and of hosts outside the mesh. They are resolved on the thread of the admin endpoints;
//! workers ask there.

mod hosts;
mod resolver;
mod schedule;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use hickory_resolver::net::NetError;
use pilotage_engine::Tables;
use pilotage_engine::cluster::{ClusterTable, Discovery};
use pilotage_engine::dns::DnsFamily;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

pub(crate) use self::hosts::{HostError, Hosts};
use self::resolver::{Resolved, Resolver, look_up};
use self::schedule::{Key, Schedule};

/// Where workers ask for names.
#[derive(Clone, Debug)]
pub(crate) struct Names(mpsc::UnboundedSender<Question>);

/// What workers ask.
pub(crate) type Questions = mpsc::UnboundedReceiver<Question>;

/// One question of a worker.
#[derive(Debug)]
pub(crate) enum Question {
    /// Resolve the names of a cluster that has no endpoint yet.
    Cluster(Arc<ClusterTable>, oneshot::Sender<()>),
    /// The addresses of a host that is not of the mesh; none when nobody says.
    Host(Box<str>, DnsFamily, oneshot::Sender<Option<Resolved>>),
}

impl Names {
    /// The two ends.
    pub(crate) fn new() -> (Self, Questions) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Waits until `cluster` has an endpoint, or every name of it was asked for once more.
    pub(crate) async fn settle(&self, cluster: &Arc<ClusterTable>) {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Question::Cluster(Arc::clone(cluster), answer)).is_ok() {
            // Nobody answers when the proxy ends.
            answered.await.ok();
        }
    }

    /// The addresses of `host`, best first; none when it has none.
    pub(crate) async fn look_up(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(address) = host.parse() {
            return vec![address];
        }
        let found = self.ask(host, DnsFamily::V4Preferred).await;
        found.map(|found| found.addresses).unwrap_or_default()
    }

    /// What `host` stands for now; `None` when nobody says.
    async fn ask(&self, host: &str, family: DnsFamily) -> Option<Resolved> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Question::Host(host.into(), family, answer)).ok()?;
        answered.await.ok().flatten()
    }
}

/// Resolves what the published tables want, and what workers ask, until the runtime ends. `published` is notified of
/// new tables; `name_servers` are asked instead of those of the system, when there are any.
pub(crate) async fn run(
    tables: Arc<ArcSwap<Tables>>,
    published: Arc<Notify>,
    mut questions: Questions,
    name_servers: Vec<SocketAddr>,
) {
    let mut service = Service { resolver: Resolver::asking(name_servers), ..Service::default() };
    loop {
        // Armed before the tables are read, so that a publication in between is not missed.
        let notified = published.notified();
        let current = tables.load_full();
        service.follow(&current);
        service.ask_for_what_is_due(&current);
        let next = service.schedule.next();
        tokio::select! {
            () = notified => {}
            () = until(next) => {}
            Some(done) = service.lookups.join_next() => {
                if let Ok(done) = done {
                    service.finish(&tables.load(), done);
                }
            }
            question = questions.recv() => match question {
                Some(question) => service.take(question),
                None => return,
            }
        }
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}

#[derive(Default)]
struct Service {
    resolver: Resolver,
    schedule: Schedule,
    lookups: JoinSet<(Asked, Result<Resolved, NetError>)>,
    waiting: Vec<Waiting>,
    followed: Option<Arc<Tables>>,
}

/// Why a name was asked for.
enum Asked {
    Scheduled(Key),
    Host(oneshot::Sender<Option<Resolved>>),
}

/// A worker that waits until every name of a cluster was asked for.
struct Waiting {
    cluster: Arc<ClusterTable>,
    missing: BTreeSet<Key>,
    answer: oneshot::Sender<()>,
}

impl Service {
    fn follow(&mut self, tables: &Arc<Tables>) {
        if self.followed.as_ref().is_some_and(|followed| Arc::ptr_eq(followed, tables)) {
            return;
        }
        self.schedule.follow(tables, Instant::now());
        self.followed = Some(Arc::clone(tables));
        // A name that nobody wants any more is not answered any more either.
        let schedule = &self.schedule;
        for waiting in &mut self.waiting {
            waiting.missing.retain(|key| schedule.has(key));
        }
        self.release();
    }

    fn take(&mut self, question: Question) {
        match question {
            Question::Cluster(cluster, answer) => {
                let mut missing = BTreeSet::new();
                // The answer may have come while the question was on its way.
                cluster.follow_names();
                if cluster.endpoints().is_empty() {
                    self.schedule.hurry(&cluster, Instant::now());
                    let keys = cluster.dns_targets().iter();
                    let keys = keys.map(|target| Key::new(&cluster, target));
                    missing.extend(keys.filter(|key| self.schedule.has(key)));
                }
                self.waiting.push(Waiting { cluster, missing, answer });
                self.release();
            }
            Question::Host(host, family, answer) => match self.resolver.system() {
                Ok(resolver) => {
                    self.lookups.spawn(async move {
                        let found = look_up(&resolver, &host, family).await;
                        (Asked::Host(answer), found)
                    });
                }
                Err(error) => tracing::warn!(%host, %error, "names cannot be resolved"),
            },
        }
    }

    fn ask_for_what_is_due(&mut self, tables: &Tables) {
        for key in self.schedule.due(Instant::now()) {
            let Some(cluster) = tables.cluster(&key.cluster) else { continue };
            let family = cluster.settings.dns.family;
            match self.resolver.system() {
                Ok(resolver) => {
                    self.lookups.spawn(async move {
                        let found = look_up(&resolver, &key.target.host, family).await;
                        (Asked::Scheduled(key), found)
                    });
                }
                Err(error) => self.finish(tables, (Asked::Scheduled(key), Err(error))),
            }
        }
    }

    fn finish(&mut self, tables: &Tables, done: (Asked, Result<Resolved, NetError>)) {
        match done {
            (Asked::Host(answer), found) => {
                // The request may have ended meanwhile.
                answer.send(found.ok()).ok();
            }
            (Asked::Scheduled(key), found) => {
                if let Some(cluster) = tables.cluster(&key.cluster) {
                    self.note(cluster, &key, found);
                }
                for waiting in &mut self.waiting {
                    waiting.missing.remove(&key);
                }
                self.release();
            }
        }
    }

    /// Tells `cluster` the answer. A name that no server could say anything about keeps its addresses.
    fn note(&mut self, cluster: &ClusterTable, key: &Key, found: Result<Resolved, NetError>) {
        let (dns, now, draw) = (&cluster.settings.dns, Instant::now(), fastrand::u64(..));
        match found {
            Ok(mut found) => {
                if cluster.settings.discovery == Discovery::StrictDns {
                    // All of them are endpoints: another order is no news.
                    found.addresses.sort_unstable();
                    found.addresses.dedup();
                }
                // As in Envoy, a name that is one endpoint keeps it when it suddenly has no address.
                if !found.addresses.is_empty() || cluster.settings.discovery == Discovery::StrictDns
                {
                    cluster.resolved(&key.target, &found.addresses);
                }
                self.schedule.answered(key, dns, found.time_to_live, now, draw);
            }
            Err(error) => {
                let (cluster, host) = (cluster.name(), &*key.target.host);
                tracing::debug!(cluster, host, %error, "a name is not resolved");
                self.schedule.failed(key, dns, now, draw);
            }
        }
    }

    /// Answers whoever waits for nothing more.
    fn release(&mut self) {
        for waiting in self.waiting.extract_if(.., |waiting| waiting.missing.is_empty()) {
            // The answer may have reached a newer generation of the cluster only.
            waiting.cluster.follow_names();
            waiting.answer.send(()).ok();
        }
    }
}
