//! WorkloadEntry: a workload outside of Kubernetes, or an endpoint of a ServiceEntry.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// A workload.
    pub struct WorkloadEntry {
        /// Its address, name, or `unix://` and a path.
        pub address: String,
        /// Its ports by the names of service ports.
        pub ports: BTreeMap<String, u32>,
        /// Its labels.
        pub labels: BTreeMap<String, String>,
        /// Its network.
        pub network: String,
        /// Its locality: `region/zone/subzone`.
        pub locality: String,
        /// Its weight in load balancing; 0 means 1.
        pub weight: u32,
        /// Its identity.
        pub service_account: String,
    }
}
