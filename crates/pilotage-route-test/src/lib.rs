//! Route tests: what should become of requests, checked against the tables that a proxy would have.
//!
//! Three formats of test files lead to one [`Report`]:
//!
//! - [`native`]: our own, against the configuration of a mesh;
//! - [`config_validator`]: the files of istio-config-validator, against virtual services;
//! - [`router_check`]: the files of Envoy's `router_check_tool`, against an Envoy route configuration.
//!
//! Nothing here decides anything: requests go through the engine that carries traffic. Nothing here reads a file either:
//! texts come in, reports go out, and [`render`] writes them.

pub mod config_validator;
pub mod coverage;
mod file;
pub mod mutate;
pub mod native;
pub mod render;
pub mod report;
pub mod router_check;
mod rules;
mod words;

pub use coverage::Coverage;
pub use mutate::Mutations;
pub use report::{Mismatch, Place, Report, Suite, TestResult, Verdict};
