//! `Destination`: a service that traffic goes to.

use crate::message::message;

message! {
    /// A service, and optionally a subset and a port of it.
    pub struct Destination {
        /// The name of the service. Short names are completed with the object's own namespace.
        pub host: String,
        /// The name of a subset that a DestinationRule defines.
        pub subset: String,
        /// The port of the service.
        pub port: Option<PortSelector>,
    }
}

message! {
    /// A port by number.
    pub struct PortSelector {
        /// The number.
        pub number: u32,
    }
}

message! {
    /// A destination of connections and its share.
    pub struct RouteDestination {
        /// Where connections go.
        pub destination: Option<Destination>,
        /// The share: this weight divided by the sum of all weights.
        pub weight: i32,
    }
}
