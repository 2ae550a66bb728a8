//! Requests that come in through a gateway.

use std::net::TcpStream;

use tungstenite::Message;

use crate::mesh::{Setup, fixture, free_port};
use crate::websocket;
use crate::workload::{Response, Workload};

/// T13.
#[test]
fn a_gateway_lets_in_its_hosts_and_their_paths() {
    let be = Workload::with("be", "v1", |request| match request.path.strip_prefix("/status/") {
        Some(status) => {
            Response::status(status.parse().unwrap(), "as you wish").header("x-served", "be")
        }
        None => Response::ok(format!("asked for {}", request.header("host"))),
    });
    let port = free_port();
    let mut mesh =
        Setup::new([&be]).with("backend.yaml").with("ingress.yaml").value("WEB", port).start();
    let app = ["--header", "Host: app.example.test"];
    let reply = mesh.at_gateway(port, &app, "/status/200");
    assert_eq!(reply.summary(), (200, "as you wish"));
    assert_eq!(reply.header("server"), Some("istio-envoy"));
    assert_eq!(reply.header("x-served"), Some("be"));
    assert!(reply.header("x-envoy-upstream-service-time").is_some(), "{reply:?}");
    assert_eq!(mesh.at_gateway(port, &app, "/status/418").status, 418);
    // The port in a Host header does not count.
    let with_port = ["--header", "Host: app.example.test:1234"];
    assert_eq!(mesh.at_gateway(port, &with_port, "/status/200").status, 200);
    let other = ["--header", "Host: other.example.test"];
    assert_eq!(mesh.at_gateway(port, &other, "/status/200").status, 404);
    be.take_seen();
    let missing = mesh.at_gateway(port, &app, "/headers");
    assert_eq!(missing.summary(), (404, ""));
    mesh.logged(&["GET /headers", " 404 NR route_not_found "]);
    assert!(be.take_seen().is_empty());

    mesh.apply("ingress.yaml", &fixture("ingress-any-host.yaml"));
    let reply = mesh.at_gateway(port, &[], "/headers");
    assert_eq!((reply.status, reply.body), (200, format!("asked for 127.0.0.1:{port}")));
    let seen = be.take_seen();
    assert_eq!(seen[0].header("x-forwarded-proto"), "http");
    assert_eq!(seen[0].header("x-forwarded-for"), "127.0.0.1");
}

/// T13 with a WebSocket, which no change of the rules closes.
#[test]
fn a_websocket_passes_a_gateway_and_outlives_its_rules() {
    let be = Workload::at("be", "v1", websocket::echo());
    let port = free_port();
    let mut mesh =
        Setup::new([&be]).with("backend.yaml").with("ingress.yaml").value("WEB", port).start();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut socket, answer) =
        tungstenite::client("ws://app.example.test/status/ws", stream).unwrap();
    assert_eq!(answer.status(), 101);
    socket.send(Message::text("first")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("first"));
    mesh.apply("ingress.yaml", &fixture("ingress-any-host.yaml"));
    let long = "long ".repeat(100_000);
    socket.send(Message::binary(long.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary(long));
    socket.close(None).unwrap();
    // The echo of the close, and then the end.
    while socket.read().is_ok() {}
    drop(socket);
    mesh.logged(&["GET /status/ws", " 101 "]);
}
