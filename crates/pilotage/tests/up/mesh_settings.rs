//! Settings of the mesh that only a running proxy shows: its access log, names of statistics, and headers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Up, reviews_at, service};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(30);
const HOST: &str = "reviews:9080";

/// The object with these settings.
pub(crate) fn mesh(settings: &str) -> String {
    let indented = settings.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  \
         mesh: |\n    {indented}\n"
    )
}

/// A mesh with these settings, whose access log is `log`, of these services.
fn start(settings: &str, log: &Path, services: &[SocketAddr], arguments: &[&str]) -> Up {
    let settings = mesh(&settings.replace("$LOG", log.to_str().unwrap()));
    let files = [("services.yaml", reviews_at(services)), ("istio.yaml", settings)];
    Up::start_with(&files, arguments)
}

/// One request through such a mesh.
fn up(settings: &str, log: &Path) -> (Up, Client) {
    let up = start(settings, log, &[service("v1")], &[]);
    let mut client = Client::connect(up.address("mesh"));
    assert_eq!(client.get("http://reviews:9080/x", HOST, "").body, "v1");
    (up, client)
}

fn first_line(log: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line in the access log");
        thread::sleep(Duration::from_millis(10)); // between two looks
    }
}

#[test]
fn the_access_log_is_as_the_mesh_says() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str| folder.path().join(name);
    let _plain = up("accessLogFile: $LOG", &log("plain"));
    assert!(first_line(&log("plain")).contains("\"GET /x HTTP/1.1\" 200 - via_upstream"));
    let _own = up(
        "accessLogFile: $LOG\naccessLogFormat: \"%RESPONSE_CODE% for %REQ(:PATH)%\\n\"",
        &log("own"),
    );
    assert_eq!(first_line(&log("own")), "200 for /x");
    let _json = up("accessLogFile: $LOG\naccessLogEncoding: JSON", &log("json"));
    let line: serde_json::Value = serde_json::from_str(&first_line(&log("json"))).unwrap();
    assert_eq!((&line["path"], &line["response_code"]), (&"/x".into(), &200.into()));
}

#[test]
fn statistics_of_clusters_are_named_as_the_mesh_says() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "accessLogFile: $LOG\noutboundClusterStatName: \"%SERVICE%_%SERVICE_PORT%_%SUBSET_NAME%\"";
    let (up, _client) = up(settings, &folder.path().join("log"));
    let admin = |path: &str| Client::connect(up.address("admin")).get(path, "admin", "").body;
    assert!(admin("/stats").contains("cluster.reviews.default_9080_.upstream_rq_total: 1\n"));
    let metrics = admin("/stats/prometheus");
    let line = "envoy_cluster_upstream_rq_total{cluster_name=\"reviews.default_9080_\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

/// A service that answers with a header of its own, after it has noted the head of the request.
fn noting() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sender, heads) = mpsc::channel();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (mut head, mut piece) = (String::new(), [0; 4096]);
            while !head.contains("\r\n\r\n") {
                let read = stream.read(&mut piece).unwrap_or(0);
                if read == 0 {
                    break;
                }
                head.push_str(&String::from_utf8_lossy(piece.get(..read).unwrap()));
            }
            let answer =
                "HTTP/1.1 200 OK\r\nX-Final: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            if sender.send(head).is_err() || stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    (address, heads)
}

#[test]
fn names_of_headers_keep_their_spelling_where_the_mesh_wants_that() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |settings: &str| {
        let (address, heads) = noting();
        let up = start(settings, &folder.path().join("log"), &[address], &[]);
        let mut client = Client::connect(up.address("mesh"));
        client.send("/", HOST, "X-Mine: 1\r\n");
        let (_, lines) = client.head();
        (lines.join("\n"), heads.recv().unwrap())
    };
    let (answer, request) = ask("accessLogFile: $LOG");
    assert!(answer.contains("x-final: 1") && request.contains("x-mine: 1"), "{answer} {request}");
    let kept =
        "accessLogFile: $LOG\ndefaultConfig: {proxyHeaders: {preserveHttp1HeaderCase: true}}";
    let (answer, request) = ask(kept);
    assert!(answer.contains("X-Final: 1") && request.contains("X-Mine: 1"), "{answer} {request}");
    // What the proxy adds is in lower case.
    assert!(request.contains("x-forwarded-proto: http"), "{request}");
}

#[test]
fn old_http_is_spoken_where_the_mesh_or_a_flag_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let first_line = |settings: &str, arguments: &[&str]| {
        let log = folder.path().join("log");
        let up = start(settings, &log, &[service("v1")], arguments);
        let mut stream = TcpStream::connect(up.address("mesh")).unwrap();
        stream.write_all(format!("GET / HTTP/1.0\r\nhost: {HOST}\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let log = "accessLogFile: $LOG";
    let told = "accessLogFile: $LOG\ndefaultConfig: {proxyMetadata: {ISTIO_META_HTTP10: \"1\"}}";
    assert_eq!(first_line(log, &[]), "HTTP/1.0 426 Upgrade Required");
    assert_eq!(first_line(told, &[]), "HTTP/1.0 200 OK");
    assert_eq!(first_line(log, &["--http10"]), "HTTP/1.0 200 OK");
}

#[test]
fn a_gateway_speaks_old_http_where_the_mesh_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let edge = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  \
         selector: {istio: ingressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: edge}\nspec:\n  hosts: ['*']\n  \
         gateways: [edge]\n  http: [{directResponse: {status: 200, body: {string: hello}}}]\n";
    let first_line = |settings: &str| {
        let settings = mesh(&settings.replace("$LOG", folder.path().join("log").to_str().unwrap()));
        let up = Up::start(&[("edge.yaml", edge.to_owned()), ("istio.yaml", settings)]);
        let mut stream = TcpStream::connect(up.address("gateway")).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\nhost: a.test\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first_line("accessLogFile: $LOG"), "HTTP/1.0 426 Upgrade Required");
    let told = "accessLogFile: $LOG\ndefaultConfig: {proxyMetadata: {ISTIO_META_HTTP10: \"1\"}}";
    assert_eq!(first_line(told), "HTTP/1.0 200 OK");
}
