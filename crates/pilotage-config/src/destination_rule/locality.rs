//! `localityLbSetting` and `zoneAwareLbSetting`: which regions and zones get traffic.

use std::collections::BTreeMap;

use crate::message::message;

message! {
    /// How traffic spreads over localities.
    pub struct LocalityLbSetting as "LocalityLoadBalancerSetting" {
        /// Fixed shares for localities, by the client's own.
        pub distribute: Vec<Distribute>,
        /// The next region for when one fails.
        pub failover: Vec<Failover>,
        /// Labels by whose agreement endpoints are preferred, most important first.
        pub failover_priority: Vec<String>,
        /// Whether localities count at all. Absent means yes.
        pub enabled: Option<bool>,
    }
}

message! {
    /// Fixed shares for the traffic of one locality.
    pub struct Distribute as "LocalityLoadBalancerSetting.Distribute" {
        /// The client's locality: `region/zone/subzone`, with `*` at the end.
        pub from: String,
        /// Shares in percent by locality.
        pub to: BTreeMap<String, u32>,
    }
}

message! {
    /// The next region for when one fails.
    pub struct Failover as "LocalityLoadBalancerSetting.Failover" {
        /// The region.
        pub from: String,
        /// The next one.
        pub to: String,
    }
}

message! {
    /// Keeps traffic in the zone, sized by the clients in it.
    pub struct ZoneAwareLbSetting as "ZoneAwareLoadBalancerSetting" {
        /// Whether this is on. Absent means yes.
        pub enabled: Option<bool>,
        /// The next region for when one fails.
        pub failover: Vec<Failover>,
        /// Labels by whose agreement endpoints are preferred, most important first.
        pub failover_priority: Vec<String>,
        /// The least number of endpoints for this to be used.
        pub min_cluster_size: Option<u64>,
    }
}
