//! Shares that are left out, and are not what one expects: faults that never happen (PIL0308), and mirrors that copy
//! everything (PIL0309).

use pilotage_config::virtual_service::{Abort, Delay, HttpRoute};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, http_rules};

/// The problems of all rules.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        for path in faults_without_share(rule.http, &rule.path) {
            let message =
                "this fault never happens: a share that is left out means 0 % of the requests";
            problems.push(
                rule.object
                    .diagnostic(codes::PIL0308, &path, message, "no `percentage`")
                    .help("add `percentage: {value: 100}` for all requests"),
            );
        }
        for path in mirrors_without_share(rule.http, &rule.path) {
            let message = "every request is copied: a share that is left out means 100 % here";
            problems.push(
                rule.object
                    .diagnostic(codes::PIL0309, &path, message, "no percentage")
                    .help("say so, if it is meant, or copy a part of the requests only"),
            );
        }
    }
    problems
}

fn faults_without_share(http: &HttpRoute, at: &FieldPath) -> Vec<FieldPath> {
    let Some(fault) = &http.fault else { return Vec::new() };
    let at = at.field("fault");
    let delay = |delay: &Delay| {
        delay.percentage.is_none() && delay.percent == 0 && delay.fixed_delay.is_some()
    };
    let abort = |abort: &Abort| {
        abort.percentage.is_none() && (abort.http_status.is_some() || abort.grpc_status.is_some())
    };
    let found = [
        ("delay", fault.delay.as_ref().is_some_and(delay)),
        ("abort", fault.abort.as_ref().is_some_and(abort)),
    ];
    found.iter().filter(|(_, is_idle)| *is_idle).map(|(field, _)| at.field(field)).collect()
}

fn mirrors_without_share(http: &HttpRoute, at: &FieldPath) -> Vec<FieldPath> {
    let mut found = Vec::new();
    if http.mirror.is_some() && http.mirror_percentage.is_none() && http.mirror_percent.is_none() {
        found.push(at.field("mirror"));
    }
    let listed = http.mirrors.iter().enumerate().filter(|(_, mirror)| mirror.percentage.is_none());
    found.extend(listed.map(|(index, _)| at.field("mirrors").index(index)));
    found
}
