//! From one generation to the next.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::endpoint::v3::ClusterLoadAssignment;
use pilotage_proto::{LocalCluster, ResourceSet, envoy};

use super::Tables;
use crate::cluster::{ClusterSettings, ClusterTable, Discovery};
use crate::listener::{ListenerTable, socket};
use crate::live_state::LiveState;
use crate::load_assignment::LoadAssignment;
use crate::names::Names;
use crate::rejection::{FieldError, Rejection, ResourceKind, Severity, Warnings};
use crate::route_table::RouteTable;
use crate::secrets::Secret;
use crate::zone_routing::Peers;

impl Tables {
    /// The next generation: `previous` changed to what `set` says. Each resource is taken or refused by itself; a
    /// refused one keeps its previous form, and an unchanged one is not compiled again.
    pub fn apply(
        previous: &Self,
        set: &ResourceSet,
        live: &LiveState,
    ) -> (Arc<Self>, Vec<Rejection>) {
        let mut step = Step { previous, next: Self::default(), rejections: Vec::new() };
        step.names(set);
        step.secrets(set);
        step.clusters(set, live);
        step.routes(set);
        step.listeners(set);
        (Arc::new(step.next), step.rejections)
    }
}

/// The next generation in the making.
struct Step<'p> {
    previous: &'p Tables,
    next: Tables,
    rejections: Vec<Rejection>,
}

/// Load assignments by name.
type Assignments<'a> = HashMap<&'a str, Arc<LoadAssignment>, FixedState>;

/// Whether two sets hold the very same resources.
fn identical<P>(a: &BTreeMap<String, Arc<P>>, b: &BTreeMap<String, Arc<P>>) -> bool {
    let mut pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.all(|(one, other)| one.0 == other.0 && Arc::ptr_eq(one.1, other.1))
}

/// Whether a resource is the one that is in force already.
fn unchanged<P: PartialEq>(old: Option<&Arc<P>>, new: &Arc<P>) -> bool {
    old.is_some_and(|old| Arc::ptr_eq(old, new) || old == new)
}

impl Step<'_> {
    /// Notes what became of a resource; gives it if it compiled.
    fn judge<T>(
        &mut self,
        kind: ResourceKind,
        name: &str,
        compile: impl FnOnce(&mut Warnings) -> Result<T, FieldError>,
    ) -> Option<T> {
        let mut warnings = Warnings::default();
        let result = compile(&mut warnings);
        let mut note = |error: FieldError, severity| {
            let FieldError { path, message } = error;
            self.rejections.push(Rejection {
                kind,
                resource: name.to_owned(),
                path,
                severity,
                message,
            });
        };
        match result {
            Ok(compiled) => {
                for warning in warnings.into_found() {
                    note(warning, Severity::Warning);
                }
                Some(compiled)
            }
            Err(error) => {
                note(error, Severity::Rejected);
                None
            }
        }
    }

    fn names(&mut self, set: &ResourceSet) {
        self.next.names = if unchanged(Some(&self.previous.accepted.names), &set.names) {
            Arc::clone(&self.previous.names)
        } else {
            let compiled = self
                .judge(ResourceKind::Names, "", |w| Ok(Arc::new(Names::compile(&set.names, w))));
            compiled.unwrap_or_default()
        };
        self.next.accepted.names = Arc::clone(&set.names);
    }

    fn secrets(&mut self, set: &ResourceSet) {
        for (name, proto) in &set.secrets {
            let old_proto = self.previous.accepted.secrets.get(name);
            let old = self.previous.secrets.get(name.as_str());
            let mut kept = (old_proto.cloned(), old.cloned());
            if !unchanged(old_proto, proto) {
                let compiled =
                    self.judge(ResourceKind::Secret, name, |w| Secret::compile(proto, w));
                if let Some(secret) = compiled {
                    kept = (Some(Arc::clone(proto)), Some(Arc::new(secret)));
                }
            }
            if let (Some(proto), Some(secret)) = kept {
                self.next.accepted.secrets.insert(name.clone(), proto);
                self.next.secrets.insert(name.as_str().into(), secret);
            }
        }
    }

    fn routes(&mut self, set: &ResourceSet) {
        for (name, proto) in &set.routes {
            let old_proto = self.previous.accepted.routes.get(name);
            let old = self.previous.routes.get(name.as_str());
            let mut kept = (old_proto.cloned(), old.cloned());
            if !unchanged(old_proto, proto) {
                let before = old_proto.zip(old).map(|(proto, table)| (&**proto, &**table));
                let compiled = self.judge(ResourceKind::RouteConfiguration, name, |w| {
                    RouteTable::compile(proto, before, w)
                });
                if let Some(table) = compiled {
                    kept = (Some(Arc::clone(proto)), Some(Arc::new(table)));
                }
            }
            if let (Some(proto), Some(table)) = kept {
                self.next.accepted.routes.insert(name.clone(), proto);
                self.next.routes.insert(name.as_str().into(), table);
            }
        }
    }

    fn listeners(&mut self, set: &ResourceSet) {
        for (name, proto) in &set.listeners {
            let old_proto = self.previous.accepted.listeners.get(name);
            let old = self.previous.listeners.get(name.as_str());
            let mut kept = (old_proto.cloned(), old.cloned());
            if !unchanged(old_proto, proto) {
                let compiled =
                    self.judge(ResourceKind::Listener, name, |w| ListenerTable::compile(proto, w));
                if let Some(listener) = compiled {
                    kept = (Some(Arc::clone(proto)), Some(Arc::new(listener)));
                }
            }
            if let (Some(proto), Some(listener)) = kept {
                self.insert_listener(name, proto, listener);
            }
        }
    }

    fn insert_listener(
        &mut self,
        name: &str,
        proto: Arc<envoy::config::listener::v3::Listener>,
        listener: Arc<ListenerTable>,
    ) {
        let addresses = std::iter::once(&listener.address).chain(&listener.additional_addresses);
        // Port 0 is a wish for any free port, which several listeners may have.
        for address in addresses.filter_map(socket).filter(|address| address.port() != 0) {
            let there =
                self.next.by_address.entry(address).or_insert_with(|| Arc::clone(&listener));
            if !Arc::ptr_eq(there, &listener) {
                self.rejections.push(Rejection {
                    kind: ResourceKind::Listener,
                    resource: name.to_owned(),
                    path: "address".to_owned(),
                    severity: Severity::Warning,
                    message: format!("{address} belongs to listener {} already", there.name),
                });
            }
        }
        self.next.accepted.listeners.insert(name.to_owned(), proto);
        self.next.listeners.insert(name.into(), listener);
    }

    fn clusters(&mut self, set: &ResourceSet, live: &LiveState) {
        let previous = self.previous;
        self.next.accepted.local_cluster.clone_from(&set.local_cluster);
        if identical(&previous.accepted.clusters, &set.clusters)
            && identical(&previous.accepted.endpoints, &set.endpoints)
            && previous.accepted.local_cluster == set.local_cluster
        {
            self.next.accepted.clusters.clone_from(&previous.accepted.clusters);
            self.next.accepted.endpoints.clone_from(&previous.accepted.endpoints);
            self.next.clusters.clone_from(&previous.clusters);
            return;
        }
        let assignments = self.assignments(set);
        self.next.clusters.reserve(set.clusters.len());
        let local = set.local_cluster.as_ref();
        let is_local = |name: &str| local.is_some_and(|local| local.name == name);
        // How the others share requests depends on it.
        if let Some((name, proto)) = set.clusters.iter().find(|(name, _)| is_local(name)) {
            self.cluster(name, proto, &assignments, None, live);
        }
        let peers = local.and_then(|local| self.peers(local));
        for (name, proto) in set.clusters.iter().filter(|(name, _)| !is_local(name)) {
            self.cluster(name, proto, &assignments, peers.as_ref(), live);
        }
    }

    /// The proxies of the local cluster. Whoever names it has looked that it is there.
    fn peers(&mut self, local: &LocalCluster) -> Option<Arc<Peers>> {
        let table = self.next.clusters.get(local.name.as_str()).cloned()?;
        if !matches!(table.settings.discovery, Discovery::Eds | Discovery::Static) {
            self.rejections.push(Rejection {
                kind: ResourceKind::Cluster,
                resource: local.name.clone(),
                path: "type".to_owned(),
                severity: Severity::Warning,
                message:
                    "zones do not count: endpoints of the local cluster must need no resolving"
                        .to_owned(),
            });
            return None;
        }
        Some(Arc::new(Peers::of(local, &table.endpoints())))
    }

    fn cluster(
        &mut self,
        name: &str,
        proto: &Arc<Cluster>,
        assignments: &Assignments<'_>,
        peers: Option<&Arc<Peers>>,
        live: &LiveState,
    ) {
        let old_proto = self.previous.accepted.clusters.get(name);
        let old = self.previous.clusters.get(name);
        let mut accepted = old_proto.cloned();
        let mut settings = old.map(|old| Arc::clone(&old.settings));
        let mut own = old.map(|old| Arc::clone(old.assignment()));
        if !unchanged(old_proto, proto) {
            let compiled = self.judge(ResourceKind::Cluster, name, |w| compiled(proto, w));
            if let Some((compiled, assignment)) = compiled {
                accepted = Some(Arc::clone(proto));
                settings = Some(Arc::new(compiled));
                own = Some(assignment);
            }
        }
        let (Some(accepted), Some(settings)) = (accepted, settings) else { return };
        let assignment = match settings.discovery {
            Discovery::Eds => assignments.get(ClusterSettings::eds_name(&accepted)).cloned(),
            _ => own,
        }
        .unwrap_or_default();
        let same = old.filter(|old| {
            Arc::ptr_eq(&old.settings, &settings)
                && Arc::ptr_eq(old.assignment(), &assignment)
                && old.peers() == peers
        });
        let table = match same {
            Some(old) => Arc::clone(old),
            None => {
                let state = live.cluster(name);
                let (peers, before) = (peers.cloned(), old.map(|old| &**old));
                Arc::new(ClusterTable::new(settings, assignment, state, peers, before))
            }
        };
        self.next.accepted.clusters.insert(name.to_owned(), accepted);
        let known = Some(&table.settings.name).filter(|known| ***known == *name);
        let name = known.map_or_else(|| name.into(), Arc::clone);
        self.next.clusters.insert(name, table);
    }

    /// The load assignments that EDS delivered, by name. Unchanged ones are those that clusters already use.
    fn assignments<'s>(&mut self, set: &'s ResourceSet) -> Assignments<'s> {
        let mut in_use = Assignments::default();
        let previous = self.previous;
        for (name, proto) in &previous.accepted.clusters {
            if let Some(cluster) = self.previous.clusters.get(name.as_str()) {
                in_use.insert(ClusterSettings::eds_name(proto), Arc::clone(cluster.assignment()));
            }
        }
        let mut assignments = Assignments::default();
        for (name, proto) in &set.endpoints {
            let old_proto = self.previous.accepted.endpoints.get(name);
            let known = in_use.get(name.as_str());
            let mut kept = (old_proto.cloned(), known.cloned());
            if known.is_none() || !unchanged(old_proto, proto) {
                let compiled = self.judge(ResourceKind::LoadAssignment, name, |w| {
                    LoadAssignment::compile(proto, w)
                });
                if let Some(assignment) = compiled {
                    kept = (Some(Arc::clone(proto)), Some(Arc::new(assignment)));
                }
            }
            if let (Some(proto), Some(assignment)) = kept {
                self.next.accepted.endpoints.insert(name.clone(), proto);
                assignments.insert(name.as_str(), assignment);
            }
        }
        assignments
    }
}

/// A cluster's settings, and the endpoints that are part of it.
fn compiled(
    proto: &Cluster,
    warnings: &mut Warnings,
) -> Result<(ClusterSettings, Arc<LoadAssignment>), FieldError> {
    let settings = ClusterSettings::compile(proto, warnings)?;
    let none = ClusterLoadAssignment::default();
    let assignment = proto.load_assignment.as_ref().unwrap_or(&none);
    let assignment = warnings
        .within("load_assignment", |w| LoadAssignment::compile(assignment, w))
        .map_err(|e| e.within("load_assignment"))?;
    Ok((settings, Arc::new(assignment)))
}
