//! Settings of the mesh that say how a proxy is reached.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Up, reviews_at, service};
use crate::mesh_settings::mesh;
use crate::tls::free_port;

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_mesh_may_open_a_port_for_http_proxying() {
    let port = free_port();
    // Ports of hosts are not compared there, so that services have to be at port 80.
    let yaml = reviews_at(&[service("v1")]).replace("port: 9080", "port: 80");
    let settings = mesh(&format!("proxyHttpPort: {port}"));
    let _up = Up::start(&[("services.yaml", yaml), ("istio.yaml", settings)]);
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.get("http://reviews/x", "reviews", "").body, "v1");
}

/// A server that says something before its client does.
fn greeting(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            stream.write_all(text.as_bytes()).ok();
        }
    });
    address
}

#[test]
fn servers_may_speak_first_where_detection_has_a_limit() {
    let port = greeting("220 hello\r\n").port();
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: mail}}\nspec:\n  \
         hosts: [mail.test]\n  addresses: [10.97.0.1]\n  resolution: STATIC\n  ports: [{{number: 25000, name: x}}]\n  \
         endpoints: [{{address: 127.0.0.1, ports: {{x: {port}}}}}]\n"
    );
    let settings = mesh("protocolDetectionTimeout: 50ms");
    let up = Up::start(&[("mail.yaml", entry), ("istio.yaml", settings)]);
    let mut stream = TcpStream::connect(up.address("mesh")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "CONNECT mail.test:25000 HTTP/1.1\r\nhost: mail.test:25000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "HTTP/1.1 200 OK\r\n\r\n220 hello\r\n");
}

#[test]
fn connections_to_gateways_may_begin_with_a_proxy_header() {
    let folder = tempfile::tempdir().unwrap();
    let (log, port) = (folder.path().join("log"), free_port());
    let settings = mesh(&format!(
        "accessLogFile: {}\naccessLogFormat: \"%REQ(X-FORWARDED-FOR)% %DOWNSTREAM_REMOTE_ADDRESS%\\n\"\n\
         defaultConfig: {{gatewayTopology: {{proxyProtocol: {{}}}}}}",
        log.display()
    ));
    let gateway = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  \
         selector: {{istio: ingressgateway}}\n  servers:\n  \
         - {{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: edge}}\nspec:\n  \
         hosts: ['*']\n  gateways: [edge]\n  http: [{{route: [{{destination: {{host: reviews}}}}]}}]\n"
    );
    let yaml = reviews_at(&[service("v1")]);
    let _up =
        Up::start(&[("services.yaml", yaml), ("istio.yaml", settings), ("edge.yaml", gateway)]);
    let ask = |before: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("{before}GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
        // The connection may be gone before everything is written, and its end may come as a reset.
        stream.write_all(request.as_bytes()).ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        answer
    };
    assert_eq!(ask(""), "", "without a header it is closed");
    let answer = ask("PROXY TCP4 192.0.2.7 192.0.2.8 4711 80\r\n");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("v1"), "{answer}");
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("192.0.2.7 192.0.2.7:4711\n"))
    {
        assert!(Instant::now() < deadline, "{:?}", std::fs::read_to_string(&log));
        thread::sleep(Duration::from_millis(10)); // between two looks
    }
}
