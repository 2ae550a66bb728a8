//! Clusters whose endpoints are DNS names.

use serde_json::json;

use super::client::get;
use super::mesh::Mesh;
use super::upstream::Upstream;

#[test]
fn the_first_request_to_a_new_cluster_waits_for_its_names() {
    let upstream = Upstream::fixed("ok");
    let named = |host: &str| {
        let address =
            json!({"socketAddress": {"address": host, "portValue": upstream.address.port()}});
        json!({
            "type": "STRICT_DNS",
            "dnsLookupFamily": "V4_ONLY",
            "loadAssignment": {"clusterName": "up", "endpoints":
                [{"lbEndpoints": [{"endpoint": {"address": address}}]}]},
        })
    };
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let proxy = Mesh::gateway(routes).cluster("up", &[], named("localhost")).start();
    assert_eq!(get(proxy.gateway(), "/").body, "ok");
    proxy.finish();
}
