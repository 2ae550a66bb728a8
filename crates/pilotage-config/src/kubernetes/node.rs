//! Node.

use crate::message::message;

message! {
    /// A node. What counts are its labels, above all region and zone, and its addresses.
    pub struct Node {
        /// What became of it.
        pub status: NodeStatus,
    }
}

message! {
    /// What became of a node.
    pub struct NodeStatus {
        /// Its addresses.
        pub addresses: Vec<NodeAddress>,
    }
}

message! {
    /// An address of a node.
    pub struct NodeAddress {
        /// `InternalIP`, `ExternalIP` or `Hostname`.
        pub type_ as "type": String,
        /// The address.
        pub address: String,
    }
}
