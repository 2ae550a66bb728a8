//! Selectors: labels that workloads or namespaces need to have.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// Workloads by labels (`workloadSelector` of ServiceEntry and Sidecar).
    pub struct WorkloadSelector {
        /// Labels that a workload needs to have, all of them. None means every workload.
        pub labels: BTreeMap<String, String>,
    }
}

message! {
    /// Workloads by labels (`workloadSelector` of DestinationRule, `selector` of policies).
    pub struct MatchLabels as "WorkloadSelector" {
        /// Labels that a workload needs to have, all of them. None means every workload.
        pub match_labels: BTreeMap<String, String>,
    }
}

message! {
    /// Kubernetes' selector: labels and expressions, all of which have to hold.
    pub struct LabelSelector {
        /// Labels with their values.
        pub match_labels: BTreeMap<String, String>,
        /// Further conditions.
        pub match_expressions: Vec<LabelSelectorRequirement>,
    }
}

message! {
    /// A condition on a label.
    pub struct LabelSelectorRequirement {
        /// The label.
        pub key: String,
        /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
        pub operator: String,
        /// The values for `In` and `NotIn`.
        pub values: Vec<String>,
    }
}
