//! The test files of istio-config-validator, unchanged, against virtual services.
//!
//! Such a test names requests and what stands in the rule that takes them: `route`, `redirect`, `rewrite`, `fault`,
//! `headers` or `delegate`, compared as written; with `wantMatch: false` they must differ. Which rule takes a request is
//! the engine's decision. As that tool does, it looks at hosts and rules alone: at which gateway a request arrives, from
//! whom it comes and what other objects say plays no part, and a delegate is asked by itself.

pub mod file;
mod run;
#[cfg(test)]
mod tests;
mod written;

pub use self::file::{TestFile, is_one};
pub use self::run::run;
