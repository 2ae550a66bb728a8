//! Deployment, StatefulSet, ReplicaSet and DaemonSet: what their pods look like.

use std::collections::BTreeMap;

use super::pod::PodSpec;
use crate::message::message;

/// Which of the kinds it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// Deployment.
    #[default]
    Deployment,
    /// StatefulSet.
    StatefulSet,
    /// ReplicaSet.
    ReplicaSet,
    /// DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// The name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

message! {
    /// A set of pods.
    pub struct Workload {
        /// What was asked for.
        pub spec: WorkloadSpec,
    }
}

message! {
    /// What was asked for.
    pub struct WorkloadSpec {
        /// The number of pods. Absent means 1.
        pub replicas: Option<i32>,
        /// What the pods look like.
        pub template: PodTemplate,
    }
}

message! {
    /// What pods look like.
    pub struct PodTemplate {
        /// Their labels and annotations.
        pub metadata: TemplateMetadata,
        /// Their specification.
        pub spec: PodSpec,
    }
}

message! {
    /// Labels and annotations of pods.
    pub struct TemplateMetadata {
        /// Labels.
        pub labels: BTreeMap<String, String>,
        /// Annotations.
        pub annotations: BTreeMap<String, String>,
    }
}
