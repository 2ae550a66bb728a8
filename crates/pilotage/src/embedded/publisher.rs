//! The proxies of this process, and how generations reach them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pilotage_control::identities::ProxyId;
use pilotage_control::publish::{Generation, Known, Publisher, Refusal};
use pilotage_engine::{LiveState, Rejection, Severity, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proxy::{BoundListener, Proxy, ProxyConfig, ProxyHandle, StartError};

use super::absent_secret;
use super::access_log;
use super::config_dump::config_dump;
use super::explain;
use super::gateway_ports::{GatewayPorts, Replaced};
use super::metrics_source::source_of_gateway;

/// The proxies of this process, shared by the control loop and whoever looks at them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    generation: Arc<Generation>,
    hosted: BTreeMap<ProxyId, Hosted>,
    /// Why a proxy could not start; nothing can be done without it.
    failed: Option<StartError>,
    replaced: Vec<Replaced>,
}

/// One proxy.
#[derive(Debug)]
struct Hosted {
    tables: Arc<ArcSwap<Tables>>,
    live: Arc<LiveState>,
    handle: ProxyHandle,
}

/// Where the proxies are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The sidecar's port for clients.
    pub(crate) outbound: Option<SocketAddr>,
    /// The admin endpoint.
    pub(crate) admin: Option<SocketAddr>,
    /// The metrics.
    pub(crate) metrics: Option<SocketAddr>,
    /// Readiness.
    pub(crate) ready: Option<SocketAddr>,
    /// The listeners of gateways and others that have ports of their own.
    pub(crate) listeners: Vec<(ProxyId, BoundListener)>,
}

impl Proxies {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation in force.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.lock().generation)
    }

    /// The tables that a proxy uses now.
    pub(super) fn tables(&self, id: &ProxyId) -> Option<Arc<Tables>> {
        self.lock().hosted.get(id).map(|hosted| hosted.tables.load_full())
    }

    /// Whether a proxy could not start.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Why a proxy could not start, told once.
    pub(crate) fn take_failure(&self) -> Option<StartError> {
        self.lock().failed.take()
    }

    /// Ports that had to be replaced since the last call.
    pub(crate) fn take_replaced(&self) -> Vec<Replaced> {
        std::mem::take(&mut self.lock().replaced)
    }

    /// Where the proxies are reached now.
    pub(crate) fn addresses(&self) -> Addresses {
        let state = self.lock();
        let mut addresses = Addresses::default();
        for (id, Hosted { handle, .. }) in &state.hosted {
            addresses.outbound = addresses.outbound.or(handle.outbound_address());
            addresses.admin = addresses.admin.or(handle.admin_address());
            addresses.metrics = addresses.metrics.or(handle.metrics_address());
            addresses.ready = addresses.ready.or(handle.ready_address());
            addresses
                .listeners
                .extend(handle.listeners().into_iter().map(|bound| (id.clone(), bound)));
        }
        addresses
    }

    /// Ends all proxies in order, at the same time.
    pub(crate) fn drain(&self) {
        let hosted = std::mem::take(&mut self.lock().hosted);
        std::thread::scope(|scope| {
            for Hosted { handle, .. } in hosted.into_values() {
                scope.spawn(move || handle.drain());
            }
        });
    }
}

/// Swaps the tables of the proxies of this process.
#[derive(Debug)]
pub(crate) struct EmbeddedPublisher {
    proxies: Proxies,
    /// How the sidecar runs; gateways run the same way, without the ports that a process has once.
    config: ProxyConfig,
    ports: Arc<Mutex<GatewayPorts>>,
}

impl EmbeddedPublisher {
    /// A publisher for `proxies`, whose sidecar runs as `config` says.
    pub(crate) fn new(proxies: Proxies, mut config: ProxyConfig) -> Self {
        let ports = Arc::<Mutex<GatewayPorts>>::default();
        let placing = Arc::clone(&ports);
        config.bind = Arc::new(move |wanted| {
            placing.lock().unwrap_or_else(PoisonError::into_inner).place(wanted)
        });
        let shown = proxies.clone();
        config.registry = Some(Arc::default());
        config.config_dump = Some(Arc::new(move || config_dump(&shown.generation())));
        let asked = proxies.clone();
        config.explain = Some(Arc::new(move |body, now| explain::answer(&asked, body, now)));
        Self { proxies, config, ports }
    }

    /// Brings `resources` to a proxy, which is started if it is new.
    fn bring(
        &self,
        state: &mut State,
        id: &ProxyId,
        resources: &ResourceSet,
        known: &Known,
    ) -> Result<Vec<Refusal>, StartError> {
        let (tables, live) = match state.hosted.get(id) {
            Some(hosted) => (Arc::clone(&hosted.tables), Arc::clone(&hosted.live)),
            None => (Arc::new(ArcSwap::new(Tables::empty())), Arc::default()),
        };
        let (next, rejections) = Tables::apply(&tables.load_full(), resources, &live);
        tables.store(next);
        let mut refusals: Vec<Refusal> =
            rejections.iter().map(|rejection| refusal(id, rejection)).collect();
        if !state.hosted.contains_key(id) {
            // The tables are there first: no request ever meets a proxy without routes.
            let handle = Proxy::start(self.config_of(id), Arc::clone(&tables), Arc::clone(&live))?;
            state.hosted.insert(id.clone(), Hosted { tables, live, handle });
        }
        if let Some(hosted) = state.hosted.get(id) {
            let failed = hosted.handle.sync_listeners();
            refusals.extend(failed.iter().map(|error| Refusal {
                proxy: id.clone(),
                reason: error.to_string(),
                partial: true,
                note: None,
            }));
            refusals.extend(hosted.handle.check_tls().into_iter().map(|problem| Refusal {
                proxy: id.clone(),
                reason: problem.to_string(),
                partial: true,
                note: absent_secret::note(&problem.message, resources, known, id),
            }));
        }
        Ok(refusals)
    }

    fn config_of(&self, id: &ProxyId) -> ProxyConfig {
        let config = self.config.clone();
        match id {
            ProxyId::Sidecar => config,
            ProxyId::Gateway(selector) => ProxyConfig {
                source: source_of_gateway(selector),
                outbound_address: None,
                admin_address: None,
                metrics_address: None,
                ready_address: None,
                ..config
            },
        }
    }
}

impl Publisher for EmbeddedPublisher {
    fn publish(&mut self, generation: &Generation) -> Vec<Refusal> {
        let mut state = self.proxies.lock();
        let mut refusals = Vec::new();
        if self.config.access_log.target.is_none() {
            self.config.access_log = access_log::settings(&generation.mesh);
        }
        for (id, resources) in &generation.proxies {
            match self.bring(&mut state, id, resources, &generation.known) {
                Ok(found) => refusals.extend(found),
                Err(error) => {
                    refusals.push(Refusal {
                        proxy: id.clone(),
                        reason: error.to_string(),
                        partial: false,
                        note: None,
                    });
                    state.failed = Some(error);
                }
            }
        }
        state.generation = Arc::new(generation.clone());
        state
            .replaced
            .extend(self.ports.lock().unwrap_or_else(PoisonError::into_inner).take_replaced());
        let gone: Vec<ProxyId> = state
            .hosted
            .keys()
            .filter(|id| !generation.proxies.contains_key(id))
            .cloned()
            .collect();
        for id in gone {
            if let Some(Hosted { handle, .. }) = state.hosted.remove(&id) {
                // Its connections have their time to end; nothing waits for them.
                std::thread::spawn(move || handle.drain());
            }
        }
        refusals
    }
}

fn refusal(id: &ProxyId, rejection: &Rejection) -> Refusal {
    Refusal {
        proxy: id.clone(),
        reason: rejection.to_string(),
        partial: rejection.severity == Severity::Warning,
        note: None,
    }
}
