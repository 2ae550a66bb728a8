//! Unix sockets, towards clients and towards upstreams.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::get;
use super::mesh::{Mesh, Running, tcp_proxy};
use super::upstream::Upstream;

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path.to_str().unwrap()}})
}

/// A listener on a socket whose bytes go to `up`.
fn listener(path: &Path) -> Value {
    json!({"address": pipe(path),
        "filterChains": [{"filters": [tcp_proxy(json!({"cluster": "up"}))]}]})
}

fn ask(path: &Path) -> String {
    let mut client = UnixStream::connect(path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_listener_may_be_a_unix_socket() {
    let upstream = Upstream::fixed("ok");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.sock");
    // What a process has left behind that ended badly.
    drop(UnixListener::bind(&path).unwrap());
    let mesh = Mesh::default().cluster("up", &[upstream.address], json!({}));
    let proxy: Running = mesh.clone().pipe_listener("in", listener(&path)).start();
    assert!(ask(&path).ends_with("ok"));
    // It goes with its listener, and comes with it.
    proxy.publish(&mesh);
    assert!(!path.exists());
    proxy.publish(&mesh.pipe_listener("in", listener(&path)));
    assert!(ask(&path).ends_with("ok"));
    let log = proxy.finish();
    assert!(!path.exists());
    assert_eq!(log[0]["upstream_host"], upstream.address.to_string());
}

#[test]
fn something_else_is_not_replaced_by_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.sock");
    std::fs::write(&path, "precious").unwrap();
    let proxy =
        Mesh::default().cluster("up", &[], json!({})).pipe_listener("in", listener(&path)).start();
    let failed = proxy.handle.sync_listeners();
    let [error] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    proxy.finish();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn an_upstream_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("up.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // Ends with the connection.
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix").ok();
                }
            });
        }
    });
    let endpoint = json!({"endpoint": {"address": pipe(&path)}});
    let gone = json!({"endpoint": {"address": pipe(&folder.path().join("gone.sock"))}});
    let to = |name: &str, endpoint: Value| {
        json!({"loadAssignment":
        {"clusterName": name, "endpoints": [{"lbEndpoints": [endpoint]}]}})
    };
    let routes = json!([
        {"match": {"prefix": "/gone"}, "route": {"cluster": "gone"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "up"}},
    ]);
    let proxy = Mesh::gateway(routes)
        .cluster("up", &[], to("up", endpoint))
        .cluster("gone", &[], to("gone", gone))
        .start();
    for _ in 0..2 {
        assert_eq!(get(proxy.gateway(), "/").body, "unix");
    }
    assert_eq!(get(proxy.gateway(), "/gone").status, 503);
    let log = proxy.finish();
    assert_eq!(log[0]["upstream_host"], path.to_str().unwrap());
    assert_eq!(log[2]["response_flags"], "UF");
    assert!(log[2]["upstream_transport_failure_reason"].as_str().unwrap().contains("No_such_file"));
}
