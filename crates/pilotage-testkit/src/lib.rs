//! What the tests of Pilotage have in common: recorded answers of real Istio and Envoy, the comparison with them, real
//! proxies to run beside ours, and the rules that the workspace keeps.
//!
//! Never a normal dependency: every crate may use it in its tests, none in what it ships.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test kit stops the test where a precondition fails, and its tables are read on the terminal"
)]

pub mod facets;
