//! What others send to the workload.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

use pilotage_proxy::{InboundPort, Lines, ProxyHandle};
use pilotage_testkit::peers;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use super::stage::{self, PATIENCE, finish, run, say, upstream};

/// The workload's address.
const WORKLOAD: &str = "10.9.0.5";
const GET: &str = "GET /x HTTP/1.1\r\nhost: web.test\r\nconnection: close\r\n\r\n";

#[test]
fn services_of_the_workload_are_reached_through_its_proxy() {
    stage::in_namespace(
        "inbound::services_of_the_workload_are_reached_through_its_proxy",
        &["10.9.0.1", WORKLOAD],
        || {
            let web = upstream("10.9.0.5:8080", "web");
            upstream("10.9.0.5:7000", "db");
            upstream("10.9.0.5:9999", "other");
            let (proxy, lines) = start("");
            redirect(&proxy);
            let answered = say("10.9.0.1", &web.to_string(), GET);
            assert!(answered.contains("x-forwarded-proto: http"), "{answered}");
            assert_eq!(say("10.9.0.1", "10.9.0.5:7000", "hello"), "db|hello");
            // Ports that no service names are reached all the same.
            assert_eq!(say("10.9.0.1", "10.9.0.5:9999", "\u{1}hello"), "other|\u{1}hello");
            // The port itself leads nowhere: it would lead to itself.
            let port = inbound_port(&proxy);
            assert_eq!(say("10.9.0.5", &format!("10.9.0.5:{port}"), "hello"), "");
            let metrics = proxy.metrics();
            let has = |series: &str, label: &str| {
                let mut lines = metrics.lines().filter(|line| line.starts_with(series));
                lines.any(|line| line.contains(label) && line.contains("reporter=\"destination\""))
            };
            for series in ["istio_requests_total{", "istio_tcp_connections_opened_total{"] {
                assert!(has(series, "destination_service_name=\"web\""), "{metrics}");
            }
            let log = finish(proxy, &lines);
            let clusters: Vec<&str> =
                log.iter().filter_map(|line| line["upstream_cluster"].as_str()).collect();
            let expected = [
                "inbound|8080||",
                "inbound|7000||",
                "InboundPassthroughCluster",
                "BlackHoleCluster",
            ];
            assert_eq!(clusters, expected);
            let from = |line: &Value, what: &str| line[what].as_str().unwrap().to_owned();
            // Connections to the workload come from where nothing is captured, and the log knows the client.
            assert!(from(&log[0], "upstream_local_address").starts_with("127.0.0.6:"));
            assert!(from(&log[0], "downstream_remote_address").starts_with("10.9.0.1:"));
            assert_eq!(from(&log[0], "downstream_local_address"), "10.9.0.5:8080");
        },
    );
}

#[test]
fn a_sidecar_object_says_where_its_ports_lead() {
    stage::in_namespace(
        "inbound::a_sidecar_object_says_where_its_ports_lead",
        &["10.9.0.1", WORKLOAD],
        || {
            let app = upstream("127.0.0.1:0", "app");
            let wide = upstream("10.9.0.5:19501", "wide");
            upstream("10.9.0.5:9503", "same");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("app.sock");
            unix_upstream(UnixListener::bind(&path).unwrap());
            let (proxy, lines) = start(&format!(
                "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: web, namespace: default}}
spec:
  workloadSelector: {{labels: {{app: web}}}}
  ingress:
  - port: {{number: 8080, protocol: HTTP, name: http}}
    defaultEndpoint: 127.0.0.1:{app}
  - port: {{number: 9500, protocol: HTTP, name: unix}}
    defaultEndpoint: unix://{path}
  - port: {{number: 9501, protocol: TCP, name: wide}}
    defaultEndpoint: 0.0.0.0:{wide}
  - port: {{number: 9503, protocol: TCP, name: same}}
  - port: {{number: 9502, protocol: HTTP, name: own}}
    bind: 10.9.0.5
    captureMode: NONE
    defaultEndpoint: 127.0.0.1:{app}
",
                app = app.port(),
                wide = wide.port(),
                path = path.display(),
            ));
            redirect(&proxy);
            assert!(say("10.9.0.1", "10.9.0.5:8080", GET).contains("x-request-id"));
            assert!(say("10.9.0.1", "10.9.0.5:9500", GET).ends_with("unix"));
            assert_eq!(say("10.9.0.1", "10.9.0.5:9501", "hello"), "wide|hello");
            assert_eq!(say("10.9.0.1", "10.9.0.5:9503", "hello"), "same|hello");
            // Nothing is redirected to this one: it has a socket.
            assert!(say("10.9.0.5", "10.9.0.5:9502", GET).contains("x-request-id"));
            let log = finish(proxy, &lines);
            let hosts: Vec<&str> = log.iter().filter_map(|l| l["upstream_host"].as_str()).collect();
            let app = app.to_string();
            let path = path.display().to_string();
            assert_eq!(hosts, [&app, &path, "10.9.0.5:19501", "10.9.0.5:9503", &app]);
        },
    );
}

/// T19, but for clients inside the mesh. Those outside come with TLS of their own at one port, and the other port takes mTLS
/// of the mesh only.
#[test]
fn a_sidecar_object_ends_tls_of_clients_outside_the_mesh() {
    if peers::require("curl").is_none() {
        return;
    }
    stage::in_namespace(
        "inbound::a_sidecar_object_ends_tls_of_clients_outside_the_mesh",
        &["10.9.0.1", WORKLOAD],
        || {
            let app = upstream("127.0.0.1:0", "app");
            let folder = tempfile::tempdir().unwrap();
            write_certificates(folder.path());
            let path = folder.path().display();
            let (proxy, lines) = start(&format!(
                "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: ingress-sidecar, namespace: default}}
spec:
  workloadSelector: {{labels: {{app: web}}}}
  ingress:
  - port: {{number: 9080, protocol: HTTPS, name: external}}
    defaultEndpoint: {app}
    tls:
      mode: MUTUAL
      serverCertificate: {path}/server.crt
      privateKey: {path}/server.key
      caCertificates: {path}/ca.crt
  - port: {{number: 9081, protocol: HTTP, name: internal}}
    defaultEndpoint: {app}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: web, namespace: default}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  mtls: {{mode: STRICT}}
  portLevelMtls: {{9080: {{mode: DISABLE}}}}
"
            ));
            redirect(&proxy);
            let shown = ["--cert", "client.crt", "--key", "client.key"];
            let answer = curl(folder.path(), "https://web.test:9080/x", &shown);
            let text = String::from_utf8_lossy(&answer.stdout);
            assert!(text.starts_with("HTTP/2 200"), "{answer:?}");
            assert!(text.contains("\r\nserver: istio-envoy\r\n"), "{text}");
            assert!(text.contains("x-forwarded-proto: https"), "{text}");
            assert!(text.contains("x-forwarded-client-cert: Hash="), "{text}");
            assert!(!curl(folder.path(), "https://web.test:9080/x", &[]).status.success());
            // Neither in the clear, nor past the mTLS of the other port.
            assert_eq!(say("10.9.0.1", "10.9.0.5:9080", GET), "");
            assert_eq!(say("10.9.0.1", "10.9.0.5:9081", GET), "");
            let log = finish(proxy, &lines);
            let served: Vec<_> = log.iter().filter(|line| line["response_code"] == 200).collect();
            assert_eq!(served.len(), 1, "{log:#?}");
            assert_eq!(served[0]["upstream_cluster"], "inbound|9080||");
        },
    );
}

/// An authority, and what it signed for a server and for a client.
fn write_certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("ca.crt", authority.pem());
    for (file, name) in [("server", "web.test"), ("client", "client.test")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        write(&format!("{file}.crt"), params.signed_by(&key, &authority).unwrap().pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}

/// What a client at 10.9.0.1 gets from the workload, with the head of the answer.
fn curl(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["--silent", "--include", "--max-time", "20", "--noproxy", "*"])
        .args(["--interface", "10.9.0.1", "--connect-to", &format!("::{WORKLOAD}:")])
        .args(["--cacert", "ca.crt"])
        .args(arguments)
        .arg(url)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn connection_pools_limit_what_comes_in() {
    stage::in_namespace(
        "inbound::connection_pools_limit_what_comes_in",
        &["10.9.0.1", WORKLOAD],
        || {
            upstream("10.9.0.5:7000", "db");
            upstream("10.9.0.5:7001", "log");
            let (proxy, lines) = start(
                "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web, namespace: default}
spec:
  workloadSelector: {labels: {app: web}}
  inboundConnectionPool: {tcp: {maxConnections: 1}}
  ingress:
  - port: {number: 7000, protocol: TCP, name: tcp}
  - port: {number: 7001, protocol: TCP, name: wide}
    connectionPool: {tcp: {maxConnections: 2}}
",
            );
            redirect(&proxy);
            for (port, at_most) in [(7000, 1), (7001, 2)] {
                let address = format!("10.9.0.5:{port}");
                let mut held: Vec<TcpStream> =
                    (0..at_most).map(|_| stage::connect("10.9.0.1", &address)).collect();
                for stream in &mut held {
                    // The answer shows that the connection has reached the workload.
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.write_all(b"a").unwrap();
                    stream.read_exact(&mut [0; 5]).unwrap_or_default();
                }
                assert_eq!(say("10.9.0.1", &address, "hello"), "", "{port}: one too many");
            }
            let log = finish(proxy, &lines);
            let refused = log.iter().filter(|line| line["response_flags"] == "UO").count();
            assert_eq!(refused, 2, "{log:#?}");
        },
    );
}

/// The proxy beside that workload.
fn start(more: &str) -> (ProxyHandle, Lines) {
    stage::start(&rules("", more), "", WORKLOAD, |config| config.inbound = InboundPort::At(0))
}

/// A workload with two services, and whatever else `more` says.
pub(super) fn rules(annotations: &str, more: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec:
  clusterIP: 10.96.0.9
  selector: {{app: web}}
  ports:
  - {{name: http, port: 80, targetPort: 8080, protocol: TCP}}
  - {{name: tcp-db, port: 5432, targetPort: 7000, protocol: TCP}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web-1, namespace: default, labels: {{app: web}}, annotations: {{{annotations}}}}}
status: {{podIP: {WORKLOAD}}}
{more}"
    )
}

pub(super) fn inbound_port(proxy: &ProxyHandle) -> u16 {
    let listeners = proxy.listeners();
    listeners.iter().find(|l| &*l.name == "virtualInbound").unwrap().bound.port()
}

/// What clients send to the workload goes to its proxy.
fn redirect(proxy: &ProxyHandle) {
    let port = inbound_port(proxy);
    run(&format!(
        "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d {WORKLOAD} -j REDIRECT --to-ports {port}"
    ));
}

/// Answers requests on a Unix socket.
fn unix_upstream(listener: UnixListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            // Nobody reads any more when this fails; the test sees it on its own side.
            if stream.read(&mut buffer).is_ok() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix").ok();
            }
        }
    });
}
