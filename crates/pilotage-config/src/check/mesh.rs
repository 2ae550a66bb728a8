//! Settings of the mesh that change what Istio's proxies do, and nothing here.

use std::sync::Arc;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::field_path::{FieldPath, SpanTable};

/// The fields, each with the reason.
const NOT_CARRIED_OUT: [(&[&str], &str); 5] = [
    (&["hboneIdleTimeout"], "there is no ambient mode"),
    (&["meshMTLS"], "mTLS of the mesh needs an identity, which does not exist here yet"),
    (&["serviceSettings"], "all endpoints are taken for those of one cluster"),
    (&["defaultConfig", "runtimeValues"], "they are switches of Envoy"),
    (&["defaultConfig", "connectionSettings"], "limits of connections from outside are built in"),
];

/// Fields that do nothing on Istio either.
const WITHOUT_EFFECT: [(&[&str], &str); 4] = [
    (&["defaultInboundHttpRetryPolicy", "perTryTimeout"], ONLY),
    (&["defaultInboundHttpRetryPolicy", "retryRemoteLocalities"], ONLY),
    (&["defaultInboundHttpRetryPolicy", "retryIgnorePreviousHosts"], ONLY),
    (
        &["defaultTrafficPolicy", "outlierDetection", "consecutiveErrors"],
        "write consecutive5xxErrors or consecutiveGatewayErrors",
    ),
];

const ONLY: &str = "of retries towards the workload, only attempts, retryOn and backoff can be set";

/// What is told of a MeshConfig in `source`, whose fields stand at `spans`.
pub(crate) fn check_mesh(source: &Arc<str>, spans: &SpanTable) -> Vec<Diagnostic> {
    let not_here =
        NOT_CARRIED_OUT.iter().map(|found| (codes::PIL0014, "changes nothing here", found));
    let nowhere = WITHOUT_EFFECT.iter().map(|found| (codes::PIL0010, "does nothing", found));
    let told = not_here.chain(nowhere).filter_map(|(code, what, (names, why))| {
        let path = names.iter().fold(FieldPath::root(), |path, name| path.field(name));
        let span = spans.get(&path).and_then(|_written| spans.key(&path))?;
        let message = format!("`{}` {what}: {why}", names.join("."));
        Some(Diagnostic::new(code, message).at(source, span, "has no effect"))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use crate::load_mesh_config;

    #[test]
    fn what_does_nothing_anywhere_has_another_code() {
        let text = "defaultInboundHttpRetryPolicy: {attempts: 2, perTryTimeout: 1s}\n";
        let (_, problems) = load_mesh_config("mesh.yaml", text);
        let told: Vec<String> =
            problems.iter().map(|p| format!("{} {}", p.code, p.message)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0]
                .starts_with("PIL0010 `defaultInboundHttpRetryPolicy.perTryTimeout` does nothing")
        );
    }

    #[test]
    fn what_is_not_carried_out_is_told_with_its_line() {
        let text = "trustDomain: a\ndefaultConfig:\n  connectionSettings: {profile: EDGE}\nserviceSettings: []\n";
        let (_, problems) = load_mesh_config("mesh.yaml", text);
        let told: Vec<String> =
            problems.iter().map(|p| format!("{} {}", p.code, p.message)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|told| told.starts_with("PIL0014 ")), "{told:?}");
        assert!(told[1].contains("defaultConfig.connectionSettings"), "{told:?}");
    }
}
