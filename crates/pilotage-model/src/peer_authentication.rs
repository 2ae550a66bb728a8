//! What workloads accept: plain traffic, mTLS or both (`PeerAuthentication`).

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_config::object::{Kind, Object};
use pilotage_config::security::MutualTlsMode;

use crate::age::Age;
use crate::labels::{Labels, selects};

/// What a workload accepts, port by port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkloadMtls {
    /// What ports without a setting of their own accept; never `Unset`.
    pub mode: MutualTlsMode,
    /// What single ports accept, by the workload's port number; never `Unset`.
    pub ports: BTreeMap<u16, MutualTlsMode>,
}

impl WorkloadMtls {
    /// What `port` of the workload accepts.
    #[must_use]
    pub fn of_port(&self, port: u16) -> MutualTlsMode {
        self.ports.get(&port).copied().unwrap_or(self.mode)
    }
}

/// All `PeerAuthentication` objects, by how wide they reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerAuthentications {
    mesh: Option<MutualTlsMode>,
    namespaces: BTreeMap<Arc<str>, MutualTlsMode>,
    workloads: BTreeMap<Arc<str>, Vec<ForWorkloads>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ForWorkloads {
    selector: Labels,
    mode: MutualTlsMode,
    ports: BTreeMap<u16, MutualTlsMode>,
}

impl PeerAuthentications {
    /// Collects the objects; of several for the same workloads the oldest counts.
    #[must_use]
    pub fn build<'a>(objects: impl IntoIterator<Item = &'a Object>, root_namespace: &str) -> Self {
        let mut found: Vec<_> = objects
            .into_iter()
            .filter_map(|object| match &object.body {
                Kind::PeerAuthentication(spec) => Some((object, spec)),
                _ => None,
            })
            .collect();
        found.sort_by_key(|(object, _)| {
            (Age::new(object.meta.creation_timestamp), object.name(), object.namespace())
        });
        let mut all = Self::default();
        for (object, spec) in found {
            let mode = spec.mtls.as_ref().map(|mtls| mtls.mode).unwrap_or_default();
            let selector = spec.selector.as_ref().map(|selector| &selector.match_labels);
            match selector.filter(|labels| !labels.is_empty()) {
                Some(selector) => {
                    let ports = spec
                        .port_level_mtls
                        .iter()
                        .filter_map(|(port, mtls)| Some((u16::try_from(*port).ok()?, mtls.mode)))
                        .collect();
                    let rule = ForWorkloads { selector: selector.clone(), mode, ports };
                    all.workloads.entry(object.namespace().into()).or_default().push(rule);
                }
                None if object.namespace() == root_namespace => {
                    all.mesh.get_or_insert(mode);
                }
                None => {
                    all.namespaces.entry(object.namespace().into()).or_insert(mode);
                }
            }
        }
        all
    }

    /// What workloads of `namespace` accept unless an object selects them.
    #[must_use]
    pub fn of_namespace(&self, namespace: &str) -> MutualTlsMode {
        let set = |mode: &MutualTlsMode| *mode != MutualTlsMode::Unset;
        let namespace = self.namespaces.get(namespace).copied().filter(set);
        namespace.or(self.mesh.filter(set)).unwrap_or(MutualTlsMode::Permissive)
    }

    /// What the workloads of `namespace` with these labels accept.
    #[must_use]
    pub fn of_workload(&self, namespace: &str, labels: &Labels) -> WorkloadMtls {
        let inherited = self.of_namespace(namespace);
        let rules = self.workloads.get(namespace).map(Vec::as_slice).unwrap_or_default();
        let Some(rule) = rules.iter().find(|rule| selects(&rule.selector, labels)) else {
            return WorkloadMtls { mode: inherited, ports: BTreeMap::new() };
        };
        let or =
            |mode: MutualTlsMode, wider| if mode == MutualTlsMode::Unset { wider } else { mode };
        let mode = or(rule.mode, inherited);
        let ports = rule.ports.iter().map(|(port, of_port)| (*port, or(*of_port, mode))).collect();
        WorkloadMtls { mode, ports }
    }
}
