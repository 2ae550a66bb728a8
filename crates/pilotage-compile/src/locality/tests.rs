use crate::resources;
use crate::testing::{given, sidecar};

const ENTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: geo, namespace: shop}
spec:
  hosts: [geo.test]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, locality: us/a, labels: {tier: gold}}
  - {address: 10.0.0.2, locality: us/b, labels: {tier: iron}}
  - {address: 10.0.0.3, locality: us/b, weight: 3, labels: {tier: gold}}
  - {address: 10.0.0.4, locality: eu/c, labels: {tier: gold}}
  - {address: 10.0.0.5, locality: ap/d, labels: {tier: iron}}
";

const NOTHING: &str = "{loadBalancer: {simple: ROUND_ROBIN}}";

/// `locality priority weight endpoints` of each group, for a client in `us/a` with the label `tier: gold`.
fn groups(policy: &str) -> Vec<String> {
    let rule = format!(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: geo, namespace: shop}}
spec: {{host: geo.test, trafficPolicy: {policy}}}
"
    );
    let mut client = sidecar("shop", "10.1.0.1");
    client.labels.insert("istio-locality".to_owned(), "us.a".to_owned());
    client.labels.insert("tier".to_owned(), "gold".to_owned());
    let set = resources(&given(&format!("{ENTRY}---{rule}"), &client));
    let groups = set.endpoints["outbound|80||geo.test"].endpoints.iter();
    let text = groups.map(|group| {
        let locality = group.locality.clone().unwrap_or_default();
        let weight = group.load_balancing_weight.unwrap_or_default();
        let count = group.lb_endpoints.len();
        format!("{}/{} {} {weight} {count}", locality.region, locality.zone, group.priority)
    });
    text.collect()
}

#[test]
fn without_outlier_detection_all_localities_are_equal() {
    assert_eq!(groups(NOTHING), ["ap/d 0 1 1", "eu/c 0 1 1", "us/a 0 1 1", "us/b 0 4 2"]);
    assert_eq!(
        groups(NOTHING),
        groups("{loadBalancer: {localityLbSetting: {failover: [{from: us, to: eu}]}}}")
    );
}

#[test]
fn failing_endpoints_send_traffic_to_the_next_place() {
    assert_eq!(
        groups("{outlierDetection: {}}"),
        ["ap/d 2 1 1", "eu/c 2 1 1", "us/a 0 1 1", "us/b 1 4 2"]
    );
    let rule = "{localityLbSetting: {failover: [{from: us, to: eu}]}}";
    assert_eq!(
        groups(&format!("{{outlierDetection: {{}}, loadBalancer: {rule}}}")),
        ["ap/d 3 1 1", "eu/c 2 1 1", "us/a 0 1 1", "us/b 1 4 2"]
    );
    let off = "{localityLbSetting: {enabled: false}}";
    assert_eq!(
        groups(&format!("{{outlierDetection: {{}}, loadBalancer: {off}}}")),
        groups(NOTHING)
    );
}

#[test]
fn labels_split_localities() {
    let labels = "{localityLbSetting: {failoverPriority: [tier, topology.kubernetes.io/region]}}";
    assert_eq!(
        groups(&format!("{{outlierDetection: {{}}, loadBalancer: {labels}}}")),
        ["ap/d 2 1 1", "eu/c 1 1 1", "us/a 0 1 1", "us/b 0 3 1", "us/b 2 1 1"]
    );
}

#[test]
fn fixed_shares_round_up_and_empty_the_rest() {
    let shares = "{localityLbSetting: {distribute: [{from: us/*, to: {us/*: 79, eu/*: 21}}]}}";
    assert_eq!(
        groups(&format!("{{loadBalancer: {shares}}}")),
        ["ap/d 0 1 0", "eu/c 0 21 1", "us/a 0 16 1", "us/b 0 64 2"]
    );
    let others = "{localityLbSetting: {distribute: [{from: eu/*, to: {us/*: 100}}]}}";
    assert_eq!(groups(&format!("{{loadBalancer: {others}}}")), groups(NOTHING));
}

#[test]
fn zones_rank_regions() {
    let zones = "{zoneAwareLbSetting: {failover: [{from: us, to: eu}]}}";
    assert_eq!(
        groups(&format!("{{loadBalancer: {zones}}}")),
        ["ap/d 2 1 1", "eu/c 1 1 1", "us/a 0 1 1", "us/b 0 4 2"]
    );
}
