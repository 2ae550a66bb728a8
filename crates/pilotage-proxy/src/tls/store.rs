//! All TLS configurations of a proxy, made when first needed and again when what they are made from changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pilotage_engine::Tables;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::server_tls::ServerTls;
use pilotage_engine::tls::TlsSettings;
use pilotage_engine::upstream_tls::UpstreamTls;
use rustls::ClientConfig;

use super::material::{Material, Part};
use super::server::ServerContext;
use super::upstream::{self, Kind};
use crate::listeners::Sockets;

/// Names of clusters in one message.
const NAMED: usize = 3;

/// Something about TLS that does not work as configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsProblem {
    /// Which listener or cluster.
    pub resource: String,
    /// What is wrong, and what it means.
    pub message: String,
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.resource, self.message)
    }
}

/// TLS configurations, shared by the workers of a proxy.
#[derive(Debug)]
pub(crate) struct TlsStore {
    tables: Arc<ArcSwap<Tables>>,
    sockets: Sockets,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    material: Material,
    servers: BTreeMap<u64, Entry<ServerContext>>,
    clients: BTreeMap<(u64, Kind), Entry<ClientConfig>>,
    told: BTreeSet<TlsProblem>,
}

/// What was made, and what is worth knowing of it.
#[derive(Debug)]
pub(super) struct Made<C> {
    pub(super) context: C,
    pub(super) notes: Vec<String>,
}

/// One configuration.
#[derive(Debug)]
struct Entry<C> {
    parts: Vec<Part>,
    /// The last good one.
    context: Option<Arc<C>>,
    /// Why the newest cannot be used.
    problem: Option<String>,
    notes: Vec<String>,
}

impl<C> Default for Entry<C> {
    fn default() -> Self {
        Self { parts: Vec::new(), context: None, problem: None, notes: Vec::new() }
    }
}

impl<C> Entry<C> {
    /// Makes the configuration anew if its parts are others than before.
    fn update(&mut self, parts: Vec<Part>, make: impl FnOnce() -> Result<Made<C>, String>) {
        let made_before = self.context.is_some() || self.problem.is_some();
        if made_before && self.parts == parts {
            return;
        }
        self.parts = parts;
        match make() {
            Ok(Made { context, notes }) => {
                self.context = Some(Arc::new(context));
                self.problem = None;
                self.notes = notes;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    fn get(&self) -> Result<Arc<C>, String> {
        self.context.clone().ok_or_else(|| self.problem.clone().unwrap_or_default())
    }

    /// What is to be told of it. `failure`: what happens while there is no configuration.
    fn problems(&self, failure: &str) -> Vec<String> {
        let mut problems = self.notes.clone();
        if let Some(problem) = &self.problem {
            let meaning = match self.context {
                Some(_) => "the last good one stays in use",
                None => failure,
            };
            problems.push(format!("{problem}: {meaning}"));
        }
        problems
    }
}

impl State {
    fn server(&mut self, tls: &ServerTls, tables: &Tables) -> &Entry<ServerContext> {
        let parts = self.material.parts(&tls.settings, tables);
        let entry = self.servers.entry(tls.fingerprint).or_default();
        entry.update(parts, || ServerContext::make(tls, &mut self.material, tables));
        entry
    }

    fn client(&mut self, tls: &UpstreamTls, kind: Kind, tables: &Tables) -> &Entry<ClientConfig> {
        let parts = self.material.parts(&tls.settings, tables);
        let entry = self.clients.entry((tls.fingerprint, kind)).or_default();
        entry.update(parts, || upstream::make(tls, kind, &mut self.material, tables));
        entry
    }
}

impl TlsStore {
    /// A store for the proxy with these tables and sockets.
    pub(crate) fn new(tables: Arc<ArcSwap<Tables>>, sockets: Sockets) -> Self {
        Self { tables, sockets, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to end TLS as `tls` says.
    ///
    /// # Errors
    /// Why it cannot be done now, in words.
    pub(super) fn server(&self, tls: &ServerTls) -> Result<Arc<ServerContext>, String> {
        self.lock().server(tls, &self.tables.load()).get()
    }

    /// How to begin TLS as `tls` says.
    ///
    /// # Errors
    /// Why it cannot be done now, in words.
    pub(super) fn client(
        &self,
        tls: &UpstreamTls,
        kind: Kind,
    ) -> Result<Arc<ClientConfig>, String> {
        self.lock().client(tls, kind, &self.tables.load()).get()
    }

    /// Looks whether certificate files have changed. Those that are used again at once are made anew with the next
    /// connection.
    pub(crate) fn refresh_files(&self) {
        let mut state = self.lock();
        if state.material.files.is_empty() {
            return;
        }
        let changed = state.material.files.refresh();
        drop(state);
        if changed.is_empty() {
            return;
        }
        for path in changed {
            tracing::info!(%path, "a certificate file has changed");
        }
        for problem in self.check() {
            tracing::warn!("{problem}");
        }
    }

    /// Makes the configurations that listeners and clusters need, and forgets those that none needs any more. Returns
    /// the problems that were not there before.
    pub(crate) fn check(&self) -> Vec<TlsProblem> {
        let tables = self.tables.load_full();
        let mut state = self.lock();
        let mut problems = BTreeSet::new();
        let mut servers = BTreeSet::new();
        for listener in tables.listeners() {
            for tls in listener.chains().filter_map(|chain| chain.tls.as_deref()) {
                servers.insert(tls.fingerprint);
                if self.sockets.has(listener) {
                    let resource = format!("listener {}", listener.name);
                    let found = state.server(tls, &tables).problems("TLS handshakes fail");
                    let problem = |message| TlsProblem { resource: resource.clone(), message };
                    problems.extend(found.into_iter().map(problem));
                }
            }
        }
        state.servers.retain(|fingerprint, _| servers.contains(fingerprint));
        let clients = check_clusters(&mut state, &tables, &mut problems);
        state.clients.retain(|(fingerprint, _), _| clients.contains(fingerprint));
        let new = problems.difference(&state.told).cloned().collect();
        state.told = problems;
        new
    }
}

fn check_clusters(
    state: &mut State,
    tables: &Tables,
    problems: &mut BTreeSet<TlsProblem>,
) -> BTreeSet<u64> {
    let mut used = BTreeSet::new();
    let mut of_mesh = Vec::new();
    for cluster in tables.clusters() {
        let settings = &cluster.settings;
        used.extend(settings.tls_contexts().map(|tls| tls.fingerprint));
        if wants_mesh_identity(cluster) {
            of_mesh.push(cluster.name());
            continue;
        }
        let Some(tls) = settings.tls.as_deref().filter(|tls| !tls.settings.is_of_mesh()) else {
            continue;
        };
        let kind = Kind { http2: None, checks_host: settings.server_name.checks_certificate };
        let resource = format!("cluster {}", cluster.name());
        let found = state.client(tls, kind, tables).problems("requests are answered with 503 UF");
        let problem = |message| TlsProblem { resource: resource.clone(), message };
        problems.extend(found.into_iter().map(problem));
    }
    if let Some(first) = of_mesh.get(..of_mesh.len().min(NAMED)).filter(|first| !first.is_empty()) {
        let more = match of_mesh.len() - first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = "endpoints want mutual TLS of the mesh (ISTIO_MUTUAL), which needs an identity of the workload \
                       that this proxy does not have yet: requests to them are answered with 503 UF";
        let resource = format!("clusters {}{more}", first.join(", "));
        problems.insert(TlsProblem { resource, message: message.to_owned() });
    }
    used
}

/// Whether an endpoint of the cluster, or all that it may get, is spoken to with mTLS of the mesh.
fn wants_mesh_identity(cluster: &ClusterTable) -> bool {
    let of_mesh = |tls: &Option<Arc<UpstreamTls>>| {
        tls.as_ref().is_some_and(|tls| TlsSettings::is_of_mesh(&tls.settings))
    };
    of_mesh(&cluster.settings.tls)
        || cluster.endpoints().iter().any(|endpoint| of_mesh(&endpoint.tls))
}
