//! Connections that the kernel hands over as they are (`TPROXY`), so that even the workload sees the client's address.

use std::io::Write;
use std::net::TcpListener;

use pilotage_proxy::InboundPort;

use super::inbound::{inbound_port, rules};
use super::stage::{self, finish, run, say};

const GET: &str = "GET /x HTTP/1.1\r\nhost: web.test\r\nconnection: close\r\n\r\n";

#[test]
fn the_workload_sees_its_clients() {
    let rules = rules("sidecar.istio.io/interceptionMode: TPROXY", "");
    in_namespace("transparent::the_workload_sees_its_clients", &rules, "");
}

#[test]
fn the_mesh_may_say_so_for_all() {
    let mesh = "defaultConfig: {interceptionMode: TPROXY}";
    in_namespace("transparent::the_mesh_may_say_so_for_all", &rules("", ""), mesh);
}

fn in_namespace(name: &str, rules: &str, mesh: &str) {
    stage::in_namespace(name, &["10.9.0.1", "10.9.0.2", "10.9.0.5"], || {
        telling_who_comes("10.9.0.5:8080");
        telling_who_comes("10.9.0.5:7000");
        let (proxy, lines) = stage::start(rules, mesh, "10.9.0.5", |config| {
            config.inbound = InboundPort::At(0);
        });
        let port = inbound_port(&proxy);
        // Istio's mark keeps what the proxy sends to the workload from coming back to the proxy.
        for client in ["10.9.0.1", "10.9.0.2"] {
            run(&format!(
                "iptables -t mangle -A PREROUTING -p tcp -s {client} -d 10.9.0.5 -m mark ! --mark 1337 \
                 -j TPROXY --on-port {port} --tproxy-mark 7"
            ));
        }
        for client in ["10.9.0.1", "10.9.0.2", "10.9.0.1"] {
            assert!(say(client, "10.9.0.5:8080", GET).ends_with(client), "{client}");
            assert_eq!(say(client, "10.9.0.5:7000", "hello"), client);
        }
        let log = finish(proxy, &lines);
        let clusters: Vec<&str> =
            log.iter().filter_map(|line| line["upstream_cluster"].as_str()).collect();
        assert_eq!(clusters, ["inbound|8080||", "inbound|7000||"].repeat(3));
        let first = &log[0];
        assert_eq!(first["downstream_local_address"], "10.9.0.5:8080");
        assert!(first["upstream_local_address"].as_str().unwrap().starts_with("10.9.0.1:"));
    });
}

/// A server that says who connects to it, in HTTP at port 8080.
fn telling_who_comes(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    let speaks_http = address.ends_with(":8080");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let client = stream.peer_addr().unwrap().ip().to_string();
            let head = match speaks_http {
                true => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", client.len()),
                false => String::new(),
            };
            std::thread::spawn(move || {
                // What the client says has to be taken before the connection closes.
                std::io::Read::read(&mut stream, &mut [0; 4096]).ok();
                stream.write_all((head + &client).as_bytes()).ok();
            });
        }
    });
}
