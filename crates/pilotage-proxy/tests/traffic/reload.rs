//! New tables: no request fails because of them, nothing open is closed by them.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::client::{Client, get};
use super::mesh::Mesh;
use super::upgrades;
use super::upstream::Upstream;

#[test]
fn no_request_fails_while_generations_change() {
    let (one, two) = (Upstream::fixed("one"), Upstream::fixed("two"));
    let proxy = Mesh::simple(&[one.address]).start_with(|config| config.workers = 2);
    let address = proxy.gateway();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address);
                    let mut requests = 0;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(client.get("/").status, 200);
                        assert_eq!(get(address, "/").status, 200);
                        requests += 2;
                    }
                    requests
                })
            })
            .collect();
        for generation in 0..40 {
            let upstream = if generation % 2 == 0 { two.address } else { one.address };
            proxy.publish(&Mesh::simple(&[upstream]));
            assert!(["one", "two"].contains(&get(address, "/").body.as_str()));
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
    });
    let log = proxy.finish();
    assert!(log.iter().all(|line| line["response_code"] == 200));
}

#[test]
fn a_change_applies_to_the_next_request_of_an_open_connection() {
    let (one, two) = (Upstream::fixed("one"), Upstream::fixed("two"));
    let proxy = Mesh::simple(&[one.address]).start();
    let mut client = Client::connect(proxy.gateway());
    assert_eq!(client.get("/").body, "one");
    proxy.publish(&Mesh::simple(&[two.address]));
    assert_eq!(client.get("/").body, "two");
    proxy.finish();
}

#[test]
fn a_websocket_survives_every_change() {
    let upstream = upgrades::echo();
    let other = Upstream::fixed("other");
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut socket = upgrades::open(&proxy);
    proxy.publish(&Mesh::simple(&[other.address]));
    proxy.publish(&Mesh::default());
    socket.send("still here");
    assert_eq!(socket.exactly(10), "still here");
    drop(socket);
    proxy.finish();
}

#[test]
fn ports_come_and_go() {
    let upstream = Upstream::fixed("ok");
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]);
    let mesh = Mesh::simple(&[upstream.address]);
    let proxy = mesh.clone().start();
    let first = proxy.gateway();
    proxy.publish(&mesh.clone().listener("second", 8081).routes("second", json!(["*"]), routes));
    assert_eq!(proxy.gateway(), first);
    let second = proxy.listener("second");
    let mut open = Client::connect(second);
    assert_eq!(open.get("/").status, 200);
    proxy.publish(&mesh);
    assert!(std::net::TcpStream::connect(second).is_err());
    // The listener is gone, and with it what it would have answered; the connection is not.
    assert_eq!(open.get("/").status, 404);
    assert_eq!(get(first, "/").status, 200);
    proxy.finish();
}
