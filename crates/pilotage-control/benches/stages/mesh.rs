//! A synthetic mesh of any size.

use std::fmt::Write as _;

/// Endpoints of each service, half of them of version `v1`, half of `v2`.
const ENDPOINTS: usize = 10;

/// Services with endpoints, a destination rule with two subsets and a virtual service with weights each.
pub(crate) fn yaml(services: usize) -> String {
    (0..services).map(service).collect()
}

/// The same, each service in a file of its own: names and texts.
pub(crate) fn files(services: usize) -> Vec<(String, String)> {
    (0..services).map(|number| (format!("{number:05}.yaml"), service(number))).collect()
}

/// The objects of the service of this number.
fn service(number: usize) -> String {
    let mut yaml = String::new();
    let (high, low) = (number / 250, number % 250);
    let vip = format!("10.{}.{}.{}", 96 + high / 250, high % 250, low + 1);
    // Writing to a string cannot fail.
    write!(
        yaml,
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\n\
         spec: {{clusterIP: {vip}, selector: {{app: s{number}}}, ports: [{{name: http, port: 80}}]}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: s{number}}}\n\
         spec:\n  host: s{number}\n  subsets:\n  - {{name: v1, labels: {{version: v1}}}}\n  \
         - {{name: v2, labels: {{version: v2}}}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: s{number}}}\n\
         spec:\n  hosts: [s{number}]\n  http:\n  - route:\n    \
         - destination: {{host: s{number}, subset: v1}}\n      weight: 80\n    \
         - destination: {{host: s{number}, subset: v2}}\n      weight: 20\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: s{number}, labels: {{kubernetes.io/service-name: s{number}}}}}\n\
         addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints:\n"
    )
    .ok();
    let mut pods = String::new();
    for endpoint in 0..ENDPOINTS {
        let at = number * ENDPOINTS + endpoint;
        let ip = format!("10.{}.{}.{}", 128 + at / 62_500, at / 250 % 250, at % 250 + 1);
        let version = if endpoint % 2 == 0 { "v1" } else { "v2" };
        let pod = format!("s{number}-{endpoint}");
        writeln!(
            yaml,
            "- {{addresses: [{ip}], targetRef: {{kind: Pod, name: {pod}, namespace: default}}}}"
        )
        .ok();
        write!(
            pods,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {pod}, labels: {{app: s{number}, \
             version: {version}}}}}\nstatus: {{podIP: {ip}}}\n"
        )
        .ok();
    }
    yaml.push_str(&pods);
    yaml.push_str("---\n");
    yaml
}
