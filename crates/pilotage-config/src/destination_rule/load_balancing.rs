//! `trafficPolicy.loadBalancer`: how endpoints are chosen.

use super::{LocalityLbSetting, ZoneAwareLbSetting};
use crate::double::Double;
use crate::duration::Duration;
use crate::message::{enumeration, message};

message! {
    /// How endpoints are chosen.
    pub struct LoadBalancerSettings {
        /// A policy without affinity.
        pub simple: Option<SimpleLb>,
        /// Affinity by hash.
        pub consistent_hash: Option<ConsistentHash>,
        /// How localities count.
        pub locality_lb_setting: Option<LocalityLbSetting>,
        /// Keeps traffic in the zone, sized by the clients in it.
        pub zone_aware_lb_setting: Option<ZoneAwareLbSetting>,
        /// Deprecated: the time in which a new endpoint grows to its full share.
        pub warmup_duration_secs: Option<Duration>,
        /// How a new endpoint grows to its full share.
        pub warmup: Option<WarmupConfiguration>,
    }
    one of [simple, consistent_hash]
}

enumeration! {
    /// Policies without affinity.
    pub enum SimpleLb as "SimpleLB" {
        /// The default: like `LEAST_REQUEST`.
        #[default]
        Unspecified = 0 "UNSPECIFIED",
        /// Deprecated: like `LEAST_REQUEST`.
        LeastConn = 1 "LEAST_CONN",
        /// Any endpoint.
        Random = 2 "RANDOM",
        /// The address that the client asked for.
        Passthrough = 3 "PASSTHROUGH",
        /// One after the other.
        RoundRobin = 4 "ROUND_ROBIN",
        /// The less busy one of two.
        LeastRequest = 5 "LEAST_REQUEST",
    }
}

message! {
    /// Affinity: equal keys go to the same endpoint.
    pub struct ConsistentHash as "ConsistentHashLB" {
        /// The key is a header.
        pub http_header_name: Option<String>,
        /// The key is a cookie.
        pub http_cookie: Option<HttpCookie>,
        /// The key is the client's address.
        pub use_source_ip: Option<bool>,
        /// The key is a query parameter.
        pub http_query_parameter_name: Option<String>,
        /// Hashing with a ring.
        pub ring_hash: Option<RingHash>,
        /// Hashing with a Maglev table.
        pub maglev: Option<Maglev>,
        /// Deprecated: the least size of the ring.
        pub minimum_ring_size: u64,
    }
    one of [http_header_name, http_cookie, use_source_ip, http_query_parameter_name]
    one of [ring_hash, maglev]
}

message! {
    /// A cookie as the key.
    pub struct HttpCookie as "HTTPCookie" {
        /// Its name.
        pub name: String,
        /// Its path, when the proxy makes it.
        pub path: String,
        /// Its lifetime; when set, the proxy makes the cookie for clients that have none.
        pub ttl: Option<Duration>,
        /// Further attributes, when the proxy makes it.
        pub attributes: Vec<HttpCookieAttribute>,
    }
}

message! {
    /// An attribute of a cookie.
    pub struct HttpCookieAttribute as "HTTPCookie.Attribute" {
        /// Its name.
        pub name: String,
        /// Its value; may be empty.
        pub value: String,
    }
}

message! {
    /// Hashing with a ring.
    pub struct RingHash {
        /// The least number of entries; 0 means the default.
        pub minimum_ring_size: u64,
    }
}

message! {
    /// Hashing with a Maglev table.
    pub struct Maglev as "MagLev" {
        /// The size, a prime number.
        pub table_size: u64,
    }
}

message! {
    /// How a new endpoint grows to its full share.
    pub struct WarmupConfiguration {
        /// The time that it takes.
        pub duration: Option<Duration>,
        /// The share in percent to begin with. Absent means 10.
        pub minimum_percent: Option<Double>,
        /// The form of the growth; 1, the default, is linear.
        pub aggression: Option<Double>,
    }
}
