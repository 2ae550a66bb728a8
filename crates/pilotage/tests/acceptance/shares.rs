//! Judging shares of traffic.

use std::collections::BTreeMap;

use crate::harness::Answer;

/// How often each body was answered. Every answer must be a 200.
pub(crate) fn count(answers: &[Answer]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        *counts.entry(answer.body.as_str()).or_default() += 1;
    }
    counts
}

/// Whether each body has its share, in percent, and no other was there: within six standard deviations, so that one
/// run in five hundred million is judged wrongly.
pub(crate) fn assert_shares(answers: &[Answer], shares: &[(&str, f64)]) {
    let counts = count(answers);
    let total = answers.len() as f64;
    for (body, percent) in shares {
        let share = percent / 100.0;
        let (expected, deviation) = (total * share, (total * share * (1.0 - share)).sqrt());
        let found = counts.get(body).copied().unwrap_or_default() as f64;
        assert!(
            (found - expected).abs() <= 6.0 * deviation,
            "{found} of {total} for {body}, which has {percent} %: {counts:?}"
        );
    }
    let known = |body: &&str| shares.iter().any(|(name, _)| name == body);
    assert!(counts.keys().all(known), "{counts:?} beside {shares:?}");
}
