//! Requests to the workload, through its proxy.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::harness::{Client, Up, service};

fn ingress(mode: &str, port: u16, to: u16) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: web}}\nspec:\n  ingress:\n  \
         - port: {{number: {port}, protocol: HTTP, name: http}}\n    bind: 127.0.0.1\n    \
         captureMode: {mode}\n    defaultEndpoint: 127.0.0.1:{to}\n"
    )
}

#[test]
fn ports_that_clients_connect_to_themselves_are_open() {
    let app = service("app");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let up = Up::start(&[("web.yaml", ingress("NONE", port, app.port()))]);
    let listener = up.address("listener");
    assert_eq!(listener.port(), port);
    let answer = Client::connect(listener).get("/", "web.test", "");
    assert_eq!((answer.status, answer.body.as_str()), (200, "app"));
    // An edit moves it to another application, and the port stays.
    let other = service("other");
    up.save("web.yaml", &ingress("NONE", port, other.port()));
    up.line_with("generation 2:");
    assert_eq!(Client::connect(listener).get("/", "web.test", "").body, "other");
}

#[test]
fn the_port_for_redirected_connections_leads_nowhere_without_redirection() {
    let app = service("app");
    let files = [("web.yaml", ingress("DEFAULT", 8080, app.port()))];
    let up = Up::start_with(&files, &["--inbound-port", "0"]);
    let inbound = up.address("inbound");
    assert!(inbound.ip().is_unspecified());
    let mut stream = TcpStream::connect(("127.0.0.1", inbound.port())).unwrap();
    // The connection may be gone before everything is written, and its end may come as a reset.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: web.test\r\n\r\n").ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}
