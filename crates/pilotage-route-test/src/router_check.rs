//! The test files of Envoy's `router_check_tool`, unchanged, against an Envoy route configuration.
//!
//! As in that tool a request meets the route table alone: no listener, no connection manager that normalizes paths, no
//! filters. What a test expects of the route, of the rewritten request and of the answer's headers is compared with what
//! the engine makes of it. A route with a `runtime_fraction` takes part only in tests that name its key as `runtime`, and
//! then for the share that `random_value` falls into.

mod ask;
mod check;
mod count;
mod entry;
pub mod file;
mod runtime;
#[cfg(test)]
mod tests;
mod virtual_clusters;

use std::sync::Arc;

use pilotage_config::yaml::Node;
use pilotage_engine::Rejection;
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;

pub use self::count::Counting;
use self::count::Counts;
use self::file::TestFile;
use self::runtime::Runtimes;
use crate::report::{Report, Suite};

/// An Envoy route configuration to test.
#[derive(Debug)]
pub struct Routes {
    file: Arc<str>,
    /// Where each route is written, by virtual host and number.
    lines: Vec<Vec<u32>>,
    config: RouteConfiguration,
}

impl Routes {
    /// The configuration that `node`, the document of `file`, describes as `config`.
    #[must_use]
    pub fn new(file: &Arc<str>, node: &Node, config: RouteConfiguration) -> Self {
        Self { file: Arc::clone(file), lines: count::lines(node), config }
    }

    /// What the engine refuses, or takes and does not obey. Nothing is said of what matters only to statistics.
    #[must_use]
    pub fn rejections(&self) -> Vec<Rejection> {
        let mut all = Runtimes::new(&self.config).rejections();
        let untold = ["virtual_clusters", "internal_only_headers", "validate_clusters"];
        all.retain(|rejection| !untold.iter().any(|field| rejection.path.ends_with(field)));
        all
    }
}

/// Runs the tests of `files` on `routes`.
#[must_use]
pub fn run(routes: &Routes, files: &[TestFile], counting: Counting) -> Report {
    let mut runtimes = Runtimes::new(&routes.config);
    let mut counts = Counts::default();
    let suites = files
        .iter()
        .map(|file| Suite {
            file: Arc::clone(&file.name),
            tests: file
                .tests
                .iter()
                .map(|test| check::test(routes, &mut runtimes, test, &mut counts))
                .collect(),
        })
        .collect();
    Report { suites, coverage: counts.coverage(routes, counting), mutations: None }
}
