//! An object of any kind.

use std::fmt;
use std::sync::Arc;

use crate::codes::Code;
use crate::destination_rule::DestinationRule;
use crate::diagnostic::{Diagnostic, ObjectRef};
use crate::field_path::{FieldPath, SpanTable};
use crate::gateway::Gateway;
use crate::kubernetes::{
    ConfigMap, EndpointSlice, Endpoints, Namespace, Node, Pod, Secret, Service, Workload,
};
use crate::mesh::ProxyConfigObject;
use crate::metadata::Metadata;
use crate::security::{PeerAuthentication, RequestAuthentication};
use crate::service_entry::{ServiceEntry, ServiceEntryStatus};
use crate::sidecar::Sidecar;
use crate::span::Span;
use crate::virtual_service::VirtualService;
use crate::workload_entry::WorkloadEntry;
use crate::workload_group::WorkloadGroup;

/// An object as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Name, namespace, labels and so on. The namespace is the default one where none was written
    /// and the kind needs one.
    pub meta: Metadata,
    /// The API version as written, for instance `networking.istio.io/v1`.
    pub api_version: String,
    /// The kind's name.
    pub kind: KindName,
    /// What the kind holds.
    pub body: Kind,
    /// Where the object was written.
    pub source: Source,
    /// Where each of its fields was written.
    pub spans: Arc<SpanTable>,
}

/// Where an object was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The name of the source, normally a file.
    pub file: Arc<str>,
    /// The document in the source, from 0.
    pub document: usize,
    /// The item, when the document is a list of objects.
    pub item: Option<usize>,
    /// The whole object.
    pub span: Span,
}

impl Object {
    /// The namespace; empty for kinds without one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or("")
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// Kind, namespace and name.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            kind: self.kind.as_str().into(),
            namespace: self.namespace().into(),
            name: self.name().into(),
        }
    }

    /// A problem with a field of this object, pointing at the field's key or, when the field is
    /// absent, at its nearest ancestor.
    #[must_use]
    pub fn diagnostic(
        &self,
        code: Code,
        path: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.place(Diagnostic::new(code, message), self.spans.key(path), path, label.into())
    }

    /// A problem with the value of a field of this object, pointing at the value.
    #[must_use]
    pub fn value_diagnostic(
        &self,
        code: Code,
        path: &FieldPath,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.place(Diagnostic::new(code, message), self.spans.value(path), path, label.into())
    }

    /// Adds a field of this object to a problem as a further place, pointing at its key.
    #[must_use]
    pub fn also(
        &self,
        problem: Diagnostic,
        path: &FieldPath,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.also_at(problem, self.spans.key(path), label.into())
    }

    /// Adds a field of this object to a problem as a further place, pointing at its value.
    #[must_use]
    pub fn also_value(
        &self,
        problem: Diagnostic,
        path: &FieldPath,
        label: impl Into<String>,
    ) -> Diagnostic {
        self.also_at(problem, self.spans.value(path), label.into())
    }

    fn also_at(&self, problem: Diagnostic, span: Option<Span>, label: String) -> Diagnostic {
        match span {
            Some(span) => problem.also_at(&self.source.file, span, label),
            None => problem,
        }
    }

    fn place(
        &self,
        problem: Diagnostic,
        span: Option<Span>,
        path: &FieldPath,
        label: String,
    ) -> Diagnostic {
        let problem = problem.about(self.reference()).on_field(path.clone());
        match span {
            Some(span) => problem.at(&self.source.file, span, label),
            None => problem,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference().fmt(f)
    }
}

/// Declares the kinds: variants, names, groups and schemas.
macro_rules! kinds {
    ($(
        $(#[$meta:meta])*
        $variant:ident($type:ty) = $group:literal [$($version:literal),+] $scope:ident $style:ident;
    )+) => {
        /// What an object holds, by kind.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $( $(#[$meta])* $variant(Arc<$type>), )+
        }

        /// The name of a kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum KindName {
            $( $(#[$meta])* $variant, )+
        }

        impl KindName {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The name as written in `kind`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => stringify!($variant), )+
                }
            }

            /// The API group; empty for the core group.
            #[must_use]
            pub const fn group(self) -> &'static str {
                match self {
                    $( Self::$variant => $group, )+
                }
            }

            /// The versions of the group that have the kind.
            #[must_use]
            pub const fn versions(self) -> &'static [&'static str] {
                match self {
                    $( Self::$variant => &[$($version),+], )+
                }
            }

            /// Whether objects of the kind are in a namespace.
            #[must_use]
            pub const fn is_namespaced(self) -> bool {
                match self {
                    $( Self::$variant => kinds!(@scope $scope), )+
                }
            }

            /// Whether this is one of Istio's kinds, whose unknown fields are errors.
            #[must_use]
            pub const fn is_istio(self) -> bool {
                match self {
                    $( Self::$variant => kinds!(@style $style), )+
                }
            }
        }

        impl Kind {
            /// The name of the kind.
            #[must_use]
            pub fn name(&self) -> KindName {
                match self {
                    $( Self::$variant(_) => KindName::$variant, )+
                }
            }
        }
    };
    (@scope Namespaced) => { true };
    (@scope Cluster) => { false };
    (@style Istio) => { true };
    (@style Kubernetes) => { false };
}

kinds! {
    /// Istio: where requests go.
    VirtualService(VirtualService) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: how traffic is carried to a host.
    DestinationRule(DestinationRule) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: the ports that a gateway opens.
    Gateway(Gateway) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: a service that Kubernetes does not know.
    ServiceEntry(ServiceEntryObject) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: a workload outside of Kubernetes.
    WorkloadEntry(WorkloadEntry) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: what workloads that register themselves have in common.
    WorkloadGroup(WorkloadGroup) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: what a workload sees of the mesh.
    Sidecar(Sidecar) = "networking.istio.io" ["v1", "v1beta1", "v1alpha3"] Namespaced Istio;
    /// Istio: settings of proxies.
    ProxyConfig(ProxyConfigObject) = "networking.istio.io" ["v1beta1"] Namespaced Istio;
    /// Istio: what workloads accept.
    PeerAuthentication(PeerAuthentication) = "security.istio.io" ["v1", "v1beta1"] Namespaced Istio;
    /// Istio: which workloads read tokens.
    RequestAuthentication(RequestAuthentication) = "security.istio.io" ["v1", "v1beta1"] Namespaced Istio;
    /// Kubernetes: a service.
    Service(Service) = "" ["v1"] Namespaced Kubernetes;
    /// Kubernetes: the endpoints of a service.
    Endpoints(Endpoints) = "" ["v1"] Namespaced Kubernetes;
    /// Kubernetes: some of the endpoints of a service.
    EndpointSlice(EndpointSlice) = "discovery.k8s.io" ["v1", "v1beta1"] Namespaced Kubernetes;
    /// Kubernetes: a pod.
    Pod(Pod) = "" ["v1"] Namespaced Kubernetes;
    /// Kubernetes: a namespace.
    Namespace(Namespace) = "" ["v1"] Cluster Kubernetes;
    /// Kubernetes: a node.
    Node(Node) = "" ["v1"] Cluster Kubernetes;
    /// Kubernetes: a secret.
    Secret(Secret) = "" ["v1"] Namespaced Kubernetes;
    /// Kubernetes: the settings of the mesh.
    ConfigMap(ConfigMap) = "" ["v1"] Namespaced Kubernetes;
    /// Kubernetes: a set of pods.
    Deployment(Workload) = "apps" ["v1", "v1beta1", "v1beta2"] Namespaced Kubernetes;
    /// Kubernetes: a set of pods with identities.
    StatefulSet(Workload) = "apps" ["v1", "v1beta1", "v1beta2"] Namespaced Kubernetes;
    /// Kubernetes: a set of equal pods.
    ReplicaSet(Workload) = "apps" ["v1", "v1beta2"] Namespaced Kubernetes;
    /// Kubernetes: a pod on each node.
    DaemonSet(Workload) = "apps" ["v1", "v1beta2"] Namespaced Kubernetes;
}

/// A ServiceEntry and those parts of its status that traffic needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServiceEntryObject {
    /// What was asked for.
    pub spec: ServiceEntry,
    /// What became of it.
    pub status: ServiceEntryStatus,
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl KindName {
    /// The kind of this name in any group.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}
