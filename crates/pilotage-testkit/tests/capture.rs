//! Connections that the kernel redirects to the outbound port, as Istio's sidecars get them: in a network namespace of
//! their own, with iptables, through everything from YAML to sockets.
//!
//! The test starts itself again in the namespace. Addresses 10.9.0.x and fd09::x are on its loopback interface;
//! connections from 10.9.0.1 and fd09::1 are the application's and redirected, all others are not.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may stop where it goes wrong"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pilotage_engine::{LiveState, Severity, Tables};
use pilotage_proxy::{
    AccessLogSettings, Lines, LogFormat, LogTarget, Proxy, ProxyConfig, ProxyHandle,
};
use pilotage_testkit::ours::Ours;
use pilotage_testkit::peers;
use pilotage_testkit::vectors::Asker;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// Set in the namespace.
const INSIDE: &str = "PILOTAGE_TEST_INSIDE_NAMESPACE";
/// A bound for hung tests only; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn redirected_connections_go_where_they_were_going() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    for tool in ["unshare", "ip", "iptables", "ip6tables"] {
        if peers::require(tool).is_none() {
            return;
        }
    }
    let in_namespace = |command: &mut Command| command.env(INSIDE, "1").output().unwrap();
    let may = in_namespace(Command::new("unshare").args(["-n", "iptables", "-t", "nat", "-L"]));
    if !may.status.success() {
        let why = String::from_utf8_lossy(&may.stderr).trim().to_owned();
        return peers::missing("leave to make a network namespace", &why);
    }
    let test = std::env::current_exe().unwrap();
    let mut again = Command::new("unshare");
    again.arg("-n").arg(test).args(["--exact", "redirected_connections_go_where_they_were_going"]);
    let ran = in_namespace(again.arg("--nocapture"));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}{said}", String::from_utf8_lossy(&ran.stdout));
}

fn inside() {
    run("ip link set lo up");
    for address in ["10.9.0.1/32", "10.9.0.2/32", "10.9.0.20/32", "10.9.0.21/32"] {
        run(&format!("ip addr add {address} dev lo"));
    }
    for address in ["fd09::1/128", "fd09::2/128"] {
        run(&format!("ip -6 addr add {address} dev lo nodad"));
    }
    let (db, web) = (upstream("127.0.0.1:0", "db"), upstream("127.0.0.1:0", "web"));
    let outside = upstream("10.9.0.2:0", "outside");
    let outside_v6 = upstream("[fd09::2]:0", "outside6");

    let (proxy, lines) = start("127.0.0.1:0", &rules(db, web), "ALLOW_ANY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.0/24 -j REDIRECT --to-ports {port}"
    ));
    // A declared TCP service by its address.
    assert_eq!(say("10.9.0.1", "10.9.0.20:5432", "hello"), "db|hello");
    // An undeclared port: HTTP is routed as requests, other bytes go as they are.
    let request = "GET / HTTP/1.1\r\nhost: web.test:8000\r\nconnection: close\r\n\r\n";
    let answered = say("10.9.0.1", "10.9.0.21:8000", request);
    assert!(answered.contains("x-request-id"), "{answered}");
    assert_eq!(say("10.9.0.1", "10.9.0.21:8000", "\u{1}bytes"), "web|\u{1}bytes");
    // What the mesh does not know.
    assert_eq!(say("10.9.0.1", &outside.to_string(), "hello"), "outside|hello");
    // Without redirection the port is an HTTP proxy.
    let unknown = say(
        "127.0.0.1",
        &format!("127.0.0.1:{port}"),
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
    );
    assert!(unknown.starts_with("HTTP/1.1 400"), "{unknown}");
    let log = finish(proxy, &lines);
    let to = |address: &str| log.iter().find(|l| l["downstream_local_address"] == address);
    let cluster = |address: &str| to(address).unwrap()["upstream_cluster"].clone();
    assert_eq!(cluster("10.9.0.20:5432"), "outbound|5432||db.test");
    assert_eq!(cluster("10.9.0.21:8000"), "outbound|8000||web.test");
    assert_eq!(cluster(&outside.to_string()), "PassthroughCluster");
    assert!(
        to("10.9.0.20:5432").unwrap()["downstream_remote_address"]
            .as_str()
            .unwrap()
            .starts_with("10.9.0.1:")
    );
    run("iptables -t nat -F OUTPUT");

    let (proxy, lines) = start("127.0.0.1:0", &rules(db, web), "REGISTRY_ONLY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "iptables -t nat -A OUTPUT -p tcp -s 10.9.0.1 -d 10.9.0.0/24 -j REDIRECT --to-ports {port}"
    ));
    assert_eq!(say("10.9.0.1", "10.9.0.20:5432", "hello"), "db|hello");
    assert_eq!(say("10.9.0.1", &outside.to_string(), "hello"), "");
    let log = finish(proxy, &lines);
    let refused = log.iter().find(|l| l["upstream_cluster"] == "BlackHoleCluster").unwrap();
    assert_eq!(refused["response_flags"], "UH");

    let (proxy, lines) = start("[::1]:0", "", "ALLOW_ANY");
    let port = proxy.outbound_address().unwrap().port();
    run(&format!(
        "ip6tables -t nat -A OUTPUT -p tcp -s fd09::1 -d fd09::/64 -j REDIRECT --to-ports {port}"
    ));
    assert_eq!(say("fd09::1", &outside_v6.to_string(), "hello"), "outside6|hello");
    let log = finish(proxy, &lines);
    assert_eq!(log[0]["downstream_local_address"], outside_v6.to_string());
}

fn run(command: &str) {
    let mut words = command.split(' ');
    let program = peers::find(words.next().unwrap()).unwrap();
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server at `address` that says its name and then what its client says.
fn upstream(address: &str, name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // Nobody reads any more when this fails; the test sees it on its own side.
                let Ok(count) = stream.read(&mut buffer) else { return };
                let said = buffer.get(..count).unwrap_or_default();
                if said.starts_with(b"GET ") {
                    let text = String::from_utf8_lossy(said);
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
                    stream.write_all(&[head.as_bytes(), said].concat()).ok();
                } else {
                    stream.write_all(&[name.as_bytes(), b"|", said].concat()).ok();
                }
            });
        }
    });
    address
}

/// Says `text` on a connection from `source` to `destination`, and gives all that comes back.
fn say(source: &str, destination: &str, text: &str) -> String {
    let destination: SocketAddr = destination.parse().unwrap();
    let socket = Socket::new(Domain::for_address(destination), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&destination.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = Vec::new();
    // A connection that is refused may be gone before everything is written.
    if stream.write_all(text.as_bytes()).is_ok() {
        // A client that ends its side early has no use for the answer to a request.
        if !text.starts_with("GET ") {
            stream.shutdown(Shutdown::Write).ok();
        }
        stream.read_to_end(&mut said).ok();
    }
    String::from_utf8(said).unwrap()
}

fn rules(db: SocketAddr, web: SocketAddr) -> String {
    let entry = |name: &str, address: &str, port: &str, endpoint: SocketAddr| {
        format!(
            "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.test]
  addresses: [{address}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{{port}, name: main}}]
  endpoints: [{{address: {}, ports: {{main: {}}}}}]
",
            endpoint.ip(),
            endpoint.port()
        )
    };
    let db = entry("db", "10.9.0.20", "number: 5432, protocol: TCP", db);
    let web = entry("web", "10.9.0.21", "number: 8000", web);
    format!("{db}---\n{web}")
}

/// A sidecar's proxy with its outbound port at `address`.
fn start(address: &str, rules: &str, policy: &str) -> (ProxyHandle, Lines) {
    let mesh = format!("outboundTrafficPolicy: {{mode: {policy}}}");
    let (mesh, problems) = pilotage_config::load_mesh_config("mesh.yaml", &mesh);
    assert!(problems.is_empty(), "{problems:?}");
    let ours = Ours::of(&[("rules.yaml".to_owned(), rules)], mesh);
    assert_eq!(ours.refusals().count(), 0, "{:?}", ours.diagnostics);
    let set = ours.resources(&Asker {
        name: "client".into(),
        kind: "sidecar".into(),
        namespace: "default".into(),
        ip: if address.starts_with('[') { "fd09::1".into() } else { "10.9.0.1".into() },
        ..Asker::default()
    });
    let live = Arc::new(LiveState::new());
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let lines = Lines::default();
    let config = ProxyConfig {
        workers: 1,
        outbound_address: Some(address.parse().unwrap()),
        access_log: AccessLogSettings {
            target: Some(LogTarget::Memory(lines.clone())),
            format: LogFormat::Json,
        },
        ..ProxyConfig::new()
    };
    let handle = Proxy::start(config, Arc::new(ArcSwap::from(tables)), live).unwrap();
    (handle, lines)
}

/// Ends the proxy; gives the access log.
fn finish(proxy: ProxyHandle, lines: &Lines) -> Vec<Value> {
    proxy.drain();
    lines.take().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
