//! Connections that the kernel redirects to a sidecar's ports, as Istio's sidecars get them: in a network namespace of
//! their own, with iptables, through everything from YAML to sockets.
//!
//! Each test starts itself again in the namespace. Addresses 10.9.0.x and fd09::x are on its loopback interface;
//! connections from 10.9.0.1 and fd09::1 are those of clients and redirected, all others are not.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it goes wrong"
)]

#[path = "capture/inbound.rs"]
mod inbound;
#[path = "capture/outbound.rs"]
mod outbound;
#[path = "capture/stage.rs"]
mod stage;
#[path = "capture/transparent.rs"]
mod transparent;
