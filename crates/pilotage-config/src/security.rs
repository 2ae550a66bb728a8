//! PeerAuthentication and RequestAuthentication, as far as traffic depends on them.

use std::collections::BTreeMap;

use crate::message::{enumeration, message};
use crate::selector::MatchLabels;

message! {
    /// Whether workloads accept plain traffic, mTLS or both.
    pub struct PeerAuthentication {
        /// The workloads. Absent means all of the namespace.
        pub selector: Option<MatchLabels>,
        /// What they accept. Absent means what the next wider object says.
        pub mtls: Option<MutualTls>,
        /// What single ports accept.
        pub port_level_mtls: BTreeMap<u32, MutualTls>,
    }
}

message! {
    /// What is accepted.
    pub struct MutualTls as "PeerAuthentication.MutualTLS" {
        /// Plain traffic, mTLS or both.
        pub mode: MutualTlsMode,
    }
}

enumeration! {
    /// What a workload accepts.
    pub enum MutualTlsMode as "PeerAuthentication.MutualTLS.Mode" {
        /// What the next wider object says.
        #[default]
        Unset = 0 "UNSET",
        /// Plain traffic only.
        Disable = 1 "DISABLE",
        /// Both.
        Permissive = 2 "PERMISSIVE",
        /// mTLS only.
        Strict = 3 "STRICT",
    }
}

message! {
    /// Which workloads read tokens. What they accept is not read.
    pub struct RequestAuthentication {
        /// The workloads. Absent means all of the namespace.
        pub selector: Option<MatchLabels>,
    }
}
