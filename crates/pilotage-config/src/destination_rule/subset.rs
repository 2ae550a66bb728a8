//! `subsets[]`.

use std::collections::BTreeMap;

use super::TrafficPolicy;
use crate::message::message;

message! {
    /// A slice of a host's workloads, chosen by label.
    pub struct Subset {
        /// The name that destinations use.
        pub name: String,
        /// Labels that workloads need to have. None means all of them.
        pub labels: BTreeMap<String, String>,
        /// Settings that replace those of the rule, block by block.
        pub traffic_policy: Option<TrafficPolicy>,
    }
}
