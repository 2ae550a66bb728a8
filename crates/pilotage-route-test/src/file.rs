//! What the readers of test files share.

use pilotage_config::{Diagnostic, codes};

/// Problems that a decoder found in a test file. A decoder takes what it reads for an object of Istio; test files are
/// none.
pub(crate) fn problems(found: Vec<Diagnostic>) -> impl Iterator<Item = Diagnostic> {
    found.into_iter().map(|mut problem| {
        if problem.code == codes::IST0106 || problem.code == codes::PIL0009 {
            problem.code = codes::PIL0203;
        }
        problem
    })
}
