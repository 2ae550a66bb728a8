//! `pilotage up` and `pilotage demo` as users run them: the real binary over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bad_input;
mod demo;
mod diff;
mod explain;
mod harness;
mod inbound;
mod mesh_ports;
mod mesh_settings;
mod mesh_tls;
mod reload;
mod revocation;
mod routing;
mod shutdown;
mod sidecar_tls;
mod survival;
mod tls;
