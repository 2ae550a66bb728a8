//! One bootstrap, a real Envoy and our proxy side by side: what both do with the same bytes, count and write down.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it goes wrong"
)]

#[path = "beside/dynamic_hosts.rs"]
mod dynamic_hosts;
#[path = "beside/handshakes.rs"]
mod handshakes;
#[path = "beside/header_names.rs"]
mod header_names;
#[path = "beside/http2_limits.rs"]
mod http2_limits;
#[path = "beside/interim.rs"]
mod interim;
#[path = "beside/limits.rs"]
mod limits;
#[path = "beside/pair.rs"]
mod pair;
#[path = "beside/retry_budget.rs"]
mod retry_budget;
#[path = "beside/retry_waits.rs"]
mod retry_waits;
#[path = "beside/scripted.rs"]
mod scripted;
#[path = "beside/statistics.rs"]
mod statistics;
#[path = "beside/tls_operators.rs"]
mod tls_operators;
