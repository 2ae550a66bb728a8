use super::*;
use crate::testing::{given, sidecar};

const MESH: &str = "istio,istio-peer-exchange,istio-http/1.0,istio-http/1.1,istio-h2";
const MESH_HTTP: &str = "istio-http/1.0,istio-http/1.1,istio-h2";

const WORKLOAD: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.0.0.1
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: tcp, port: 81, targetPort: 8081}
  - {name: x, port: 82, targetPort: 8082}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: default, labels: {app: web}}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
---
";

fn set(yaml: &str) -> ResourceSet {
    listeners(&given(&format!("{WORKLOAD}{yaml}"), &sidecar("default", "10.1.0.1")))
}

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: p, namespace: default}}\nspec: {spec}\n"
    )
}

/// The chains of one port, the port left out.
fn of_port(set: &ResourceSet, port: u16) -> Vec<String> {
    let prefix = format!("port {port} ");
    let all = chains(set, "virtualInbound").into_iter();
    all.filter_map(|chain| chain.strip_prefix(&prefix).map(str::to_owned)).collect()
}

#[test]
fn by_default_mtls_and_plaintext_both_come_in() {
    let set = set("");
    assert_eq!(
        of_port(&set, 8080),
        [
            format!("tls {MESH} ends TLS -> inline inbound|8080||"),
            "raw_buffer -> inline inbound|8080||".into()
        ]
    );
    assert_eq!(
        of_port(&set, 8081),
        [
            format!("tls {MESH} ends TLS -> inbound|8081||"),
            "raw_buffer -> inbound|8081||".into(),
            "tls -> inbound|8081||".into()
        ]
    );
    assert_eq!(
        of_port(&set, 8082),
        [
            format!("tls {MESH_HTTP} ends TLS -> inline inbound|8082||"),
            "raw_buffer http/1.1,h2c -> inline inbound|8082||".into(),
            "tls istio-peer-exchange,istio ends TLS -> inbound|8082||".into(),
            "raw_buffer -> inbound|8082||".into(),
            "tls -> inbound|8082||".into()
        ]
    );
}

#[test]
fn strict_takes_mtls_only_and_single_ports_differ() {
    let set = set(&policy(
        "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {8081: {mode: DISABLE}, 9999: {mode: DISABLE}}}",
    ));
    assert_eq!(of_port(&set, 8080), ["tls ends TLS -> inline inbound|8080||"]);
    assert_eq!(of_port(&set, 8081), ["raw_buffer -> inbound|8081||"]);
    assert_eq!(
        of_port(&set, 8082),
        [
            format!("tls {MESH_HTTP} ends TLS -> inline inbound|8082||"),
            "tls ends TLS -> inbound|8082||".into()
        ]
    );
    assert_eq!(
        of_port(&set, 9999),
        [
            "raw_buffer http/1.1,h2c -> inline InboundPassthroughCluster",
            "raw_buffer -> InboundPassthroughCluster"
        ]
    );
}

#[test]
fn inspectors_keep_away_from_ports_that_do_not_need_them() {
    let set = set(&policy("{mtls: {mode: DISABLE}}"));
    let listener = &set.listeners["virtualInbound"];
    assert_eq!(inspectors(listener), ["original_dst", "http_inspector"]);
    let json = pilotage_proto::json::to_value(&**listener).unwrap();
    let rules = &json["listenerFilters"][1]["filterDisabled"]["orMatch"]["rules"];
    let ports: Vec<_> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["destinationPortRange"]["start"].as_u64().unwrap())
        .collect();
    // A server that speaks first on a declared TCP port would wait for the inspector for ever.
    assert_eq!(ports, [8080, 8081, 15006]);
}

#[test]
fn a_sidecar_object_lists_all_ports_there_are() {
    let set = set(
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: default}\nspec: {ingress: [{port: {number: 9000, protocol: GRPC, name: grpc}, defaultEndpoint: '127.0.0.1:9001'}, {port: {number: 9100, protocol: TCP, name: tcp}, bind: 10.1.0.1, captureMode: NONE, defaultEndpoint: '127.0.0.1:9101'}], egress: [{hosts: ['./*']}]}\n",
    );
    assert!(of_port(&set, 8080).is_empty());
    assert_eq!(of_port(&set, 9000)[1], "raw_buffer -> inline inbound|9000||");
    assert_eq!(chains(&set, "10.1.0.1_9100").len(), 3);
    let chains = &set.listeners["virtualInbound"].filter_chains;
    let grpc = chains.iter().find(|chain| chain.name == "10.1.0.1_9000").unwrap();
    assert!(manager(grpc).http2_protocol_options.is_some());
}

#[test]
fn transparent_capture_keeps_the_clients_address() {
    let proxy = pilotage_model::ProxyClass {
        interception: Some(pilotage_config::mesh::InterceptionMode::Tproxy),
        ..sidecar("default", "10.1.0.1")
    };
    let set = listeners(&given(WORKLOAD, &proxy));
    let listener = &set.listeners["virtualInbound"];
    assert_eq!(listener.transparent, Some(true));
    assert_eq!(inspectors(listener)[..2], ["original_dst", "original_src"]);
    assert_eq!(set.listeners["virtualOutbound"].transparent, Some(true));
}

#[test]
fn tls_of_a_sidecar_object_takes_the_place_of_mtls_only_where_there_is_none() {
    let sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: default}\nspec: {ingress: [{port: {number: 9443, protocol: HTTPS, name: a}, defaultEndpoint: '127.0.0.1:80', tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k, minProtocolVersion: TLSV1_3}}, {port: {number: 9444, protocol: TLS, name: b}, tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /a}}, {port: {number: 9445, protocol: HTTPS, name: c}, tls: {mode: PASSTHROUGH}}]}\n---\n";
    let disabled = set(&format!("{sidecar}{}", policy("{mtls: {mode: DISABLE}}")));
    assert_eq!(of_port(&disabled, 9443), ["tls ends TLS -> inline inbound|9443||"]);
    assert_eq!(of_port(&disabled, 9444), ["tls ends TLS -> inbound|9444||"]);
    assert_eq!(of_port(&disabled, 9445), ["raw_buffer -> inbound|9445||"]);
    let listener = &disabled.listeners["virtualInbound"];
    assert_eq!(inspectors(listener)[..2], ["original_dst", "tls_inspector"]);
    let text = pilotage_proto::json::to_value(&**listener).unwrap().to_string();
    for part in ["file-cert:/c~/k", "file-root:/a", "TLSv1_3"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Beside mTLS it only says what is inside.
    let permissive = set(sidecar);
    assert_eq!(
        of_port(&permissive, 9443),
        [
            format!("tls {MESH} ends TLS -> inline inbound|9443||"),
            "raw_buffer -> inline inbound|9443||".into()
        ]
    );
}
