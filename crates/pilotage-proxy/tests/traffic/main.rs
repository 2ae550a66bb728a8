//! The data plane over loopback: real sockets, ports from the system, upstreams in this process.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what is not as expected ends the test"
)]

mod client;
mod connect;
mod connections;
mod drain;
mod http1;
mod http2;
mod http2_limits;
mod http2_peers;
mod http2_streams;
mod http2_upgrades;
mod mesh;
mod mirrors;
mod name_server;
mod names;
mod observability;
mod outbound;
mod pooled;
mod reload;
mod retries;
mod sniffing;
mod status;
mod streaming;
mod tcp;
mod tunnels;
mod unix;
mod upgrades;
mod upstream;
