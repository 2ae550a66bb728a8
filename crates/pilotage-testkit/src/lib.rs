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

pub mod differential;
pub mod echo;
pub mod envoy;
pub mod facets;
pub mod ledger;
pub mod ours;
pub mod outcome;
pub mod peers;
pub mod replay;
pub mod resources;
pub mod scores;
pub mod spec;
pub mod vectors;
pub mod wire;
pub mod workspace;
pub mod yaml;

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the crate lies two levels below the root").to_owned()
}

/// Material beside the checkout that some tests use where it is present; a fresh clone has none.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let path = root().parent()?.join("shared");
    path.is_dir().then_some(path)
}
