//! Which HTTP is spoken to workloads.

use crate::mesh::Setup;
use crate::workload::Workload;

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: be}
spec: {clusterIP: 10.96.1.1, selector: {app: be}, ports: [{name: http, port: 8000}]}
";

fn rule(http: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: be}}\n\
         spec: {{host: be, trafficPolicy: {{connectionPool: {{http: {{{http}}}}}}}}}\n"
    )
}

#[test]
fn rules_choose_the_version() {
    let be = Workload::either("be", "v1");
    let mut mesh = Setup::new([&be]).text("service.yaml", SERVICE).start();
    let url = format!("http://{}/", mesh.address);
    let ask = |version: &str| {
        let reply = crate::curl::curl(&[version, "--header", "Host: be:8000", &url]);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    };
    for (rule, of_http1, of_http2) in [
        (String::new(), "HTTP/1.1", "HTTP/1.1"),
        (rule("h2UpgradePolicy: UPGRADE"), "HTTP/2.0", "HTTP/2.0"),
        (rule("useClientProtocol: true"), "HTTP/1.1", "HTTP/2.0"),
        (rule("h2UpgradePolicy: DO_NOT_UPGRADE"), "HTTP/1.1", "HTTP/1.1"),
    ] {
        if !rule.is_empty() {
            mesh.apply("rule.yaml", &rule);
        }
        let found = [ask("--http1.1"), ask("--http2-prior-knowledge")];
        assert_eq!(found, [of_http1, of_http2], "{rule}");
    }
}
