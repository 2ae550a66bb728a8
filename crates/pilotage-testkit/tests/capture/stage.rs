//! The namespace, and what is in it.

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
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the test called `name` again in a namespace of its own, where it calls `inside` with these addresses there.
pub(super) fn in_namespace(name: &str, addresses: &[&str], inside: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        run("ip link set lo up");
        for address in addresses {
            match address.contains(':') {
                true => run(&format!("ip -6 addr add {address}/128 dev lo nodad")),
                false => run(&format!("ip addr add {address}/32 dev lo")),
            }
        }
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
    again.arg("-n").arg(test).args(["--exact", name]);
    let ran = in_namespace(again.arg("--nocapture"));
    let said = String::from_utf8_lossy(&ran.stderr);
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("1 passed"), "{told}{said}");
}

pub(super) fn run(command: &str) {
    let mut words = command.split(' ');
    let program = peers::find(words.next().unwrap()).unwrap();
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server at `address` that says its name and then what its client says.
pub(super) fn upstream(address: &str, name: &'static str) -> SocketAddr {
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
pub(super) fn say(source: &str, destination: &str, text: &str) -> String {
    let mut stream = connect(source, destination);
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

/// A connection from `source` to `destination`.
pub(super) fn connect(source: &str, destination: &str) -> TcpStream {
    let destination: SocketAddr = destination.parse().unwrap();
    let socket = Socket::new(Domain::for_address(destination), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&destination.into()).unwrap();
    TcpStream::from(socket)
}

/// The proxy of the workload at `ip`, run as `change` says.
pub(super) fn start(
    rules: &str,
    mesh: &str,
    ip: &str,
    change: impl FnOnce(&mut ProxyConfig),
) -> (ProxyHandle, Lines) {
    let (mesh, problems) = pilotage_config::load_mesh_config("mesh.yaml", mesh);
    assert!(problems.is_empty(), "{problems:?}");
    let ours = Ours::of(&[("rules.yaml".to_owned(), rules)], mesh);
    assert_eq!(ours.refusals().count(), 0, "{:?}", ours.diagnostics);
    let set = ours.resources(&Asker {
        name: "workload".into(),
        kind: "sidecar".into(),
        namespace: "default".into(),
        ip: ip.into(),
        ..Asker::default()
    });
    let live = Arc::new(LiveState::new());
    let (tables, rejections) = Tables::apply(&Tables::empty(), &set, &live);
    let refused: Vec<_> = rejections.iter().filter(|r| r.severity == Severity::Rejected).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let lines = Lines::default();
    let mut config = ProxyConfig {
        workers: 1,
        access_log: AccessLogSettings {
            target: Some(LogTarget::Memory(lines.clone())),
            format: LogFormat::Json,
        },
        ..ProxyConfig::new()
    };
    change(&mut config);
    let handle = Proxy::start(config, Arc::new(ArcSwap::from(tables)), live).unwrap();
    (handle, lines)
}

/// Ends the proxy; gives the access log.
pub(super) fn finish(proxy: ProxyHandle, lines: &Lines) -> Vec<Value> {
    proxy.drain();
    lines.take().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
