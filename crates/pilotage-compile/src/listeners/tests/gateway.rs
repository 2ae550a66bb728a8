use super::*;
use crate::testing::{gateway, given, given_mesh};

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n---\n"
    )
}

fn servers(servers: &str) -> String {
    object(
        "Gateway",
        "gw",
        &format!("{{selector: {{istio: ingressgateway}}, servers: [{servers}]}}"),
    )
}

fn set(yaml: &str) -> ResourceSet {
    listeners(&given(yaml, &gateway()))
}

const DB: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: default}\nspec: {clusterIP: 10.0.0.1, ports: [{name: tcp, port: 5432}]}\n---\n";

#[test]
fn plain_and_terminated_http_lead_to_their_routes() {
    let set = set(&servers(
        "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}, {port: {number: 443, name: https, protocol: HTTPS}, hosts: ['default/a.test', 'b.test'], tls: {mode: SIMPLE, credentialName: web}}",
    ));
    assert_eq!(chains(&set, "0.0.0.0_80"), ["any -> routes http.80"]);
    assert_eq!(
        chains(&set, "0.0.0.0_443"),
        ["sni a.test sni b.test ends TLS -> routes https.443.https.gw.default"]
    );
    let manager = manager(&set.listeners["0.0.0.0_80"].filter_chains[0]);
    assert_eq!(
        (manager.use_remote_address, manager.server_name.as_str()),
        (Some(true), "istio-envoy")
    );
}

#[test]
fn a_tcp_server_without_rule_has_no_listener() {
    let port = "{port: {number: 31400, name: tcp, protocol: TCP}, hosts: ['*']}";
    assert!(set(&servers(port)).listeners.is_empty());
    let rule = object(
        "VirtualService",
        "db",
        "{hosts: ['*'], gateways: [gw], tcp: [{match: [{port: 1}], route: [{destination: {host: x}}]}, {match: [{port: 31400, sourceLabels: {a: b}}], route: [{destination: {host: db}}]}]}",
    );
    let set = set(&(servers(port) + &rule + DB));
    // The only port of the service counts, and labels of clients do not.
    assert_eq!(
        chains(&set, "0.0.0.0_31400"),
        ["any -> outbound|5432||db.default.svc.cluster.local"]
    );
}

#[test]
fn passthrough_follows_tls_rules_and_a_taken_name_drops_its_block() {
    let rule = object(
        "VirtualService",
        "v",
        "{hosts: [a.test, b.test, c.test], gateways: [gw], tls: [{match: [{sniHosts: [a.test]}], route: [{destination: {host: db}}]}, {match: [{sniHosts: [a.test, c.test]}, {port: 443, sniHosts: [b.test]}], route: [{destination: {host: x.test, port: {number: 1}}}]}]}",
    );
    let server = "{port: {number: 443, name: tls, protocol: TLS}, hosts: ['a.test'], tls: {mode: PASSTHROUGH}}";
    assert_eq!(
        chains(&set(&(servers(server) + &rule + DB)), "0.0.0.0_443"),
        [
            "sni a.test -> outbound|5432||db.default.svc.cluster.local",
            "sni b.test -> outbound|1||x.test"
        ]
    );
}

#[test]
fn automatic_passthrough_has_a_chain_for_each_cluster_of_the_mesh() {
    let rule =
        object("DestinationRule", "db", "{host: db, subsets: [{name: v1, labels: {v: '1'}}]}");
    let outside = object(
        "ServiceEntry",
        "e",
        "{hosts: [e.test], ports: [{number: 1, name: t, protocol: TCP}], resolution: DNS}",
    );
    let server = "{port: {number: 15443, name: tls, protocol: TLS}, hosts: ['*.cluster.local'], tls: {mode: AUTO_PASSTHROUGH}}";
    let set = set(&(servers(server) + &rule + &outside + DB));
    let host = "db.default.svc.cluster.local";
    let chain = |subset: &str| {
        let name = format!("outbound_.5432_.{subset}_.{host}");
        let offers = "istio,istio-peer-exchange,istio-http/1.0,istio-http/1.1,istio-h2";
        format!("sni {name} {offers} -> {name}")
    };
    assert_eq!(chains(&set, "0.0.0.0_15443"), [chain(""), chain("v1")]);
}

#[test]
fn the_topology_of_the_mesh_shapes_what_is_told_about_clients() {
    let mesh = "defaultConfig: {gatewayTopology: {numTrustedProxies: 2, forwardClientCertDetails: FORWARD_ONLY, proxyProtocol: {}}}";
    let yaml = servers("{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}");
    let set = listeners(&given_mesh(mesh, &yaml, &gateway()));
    let listener = &set.listeners["0.0.0.0_80"];
    assert_eq!(inspectors(listener), ["proxy_protocol"]);
    let manager = manager(&listener.filter_chains[0]);
    assert_eq!(manager.xff_num_trusted_hops, 2);
    assert_eq!(manager.set_current_client_cert_details, None);
}

#[test]
fn a_unix_socket_is_a_place_too() {
    let set = set(&servers(
        "{port: {number: 0, name: http, protocol: HTTP}, bind: 'unix:///run/gw.sock', hosts: ['*']}",
    ));
    assert_eq!(names(&set), ["unix:///run/gw.sock_0"]);
}
