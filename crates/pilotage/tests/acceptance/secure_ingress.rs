//! TLS that comes in through a gateway.

use std::process::{Command, Stdio};

use crate::certificates::Authority;
use crate::curl::{Reply, curl};
use crate::mesh::{Setup, free_port};
use crate::workload::{Response, Workload};

/// Asks for a host at the gateway, and trusts `authority`.
fn ask(host: &str, port: u16, authority: &Authority) -> Reply {
    let (at, url) = (format!("{host}:{port}:127.0.0.1"), format!("https://{host}:{port}/"));
    let file = authority.file();
    curl(&["--resolve", &at, "--cacert", &file, &url])
}

/// T18.
#[test]
fn tls_is_passed_on_by_the_name_in_its_hello() {
    let authority = Authority::new("the server's own authority");
    let tls = authority.sign(&["nginx.example.test", "other.example.test"]).server(None);
    let nginx = Workload::tls("my-nginx", "v1", tls, |_| Response::ok("a page")).port("https");
    let port = free_port();
    let mesh = Setup::new([&nginx]).with("ingress-passthrough.yaml").value("WEB", port).start();
    let page = ask("nginx.example.test", port, &authority);
    assert_eq!(page.summary(), (200, "a page"));
    let seen = s_client(port, "nginx.example.test");
    assert!(seen.contains("issuer=CN = the server's own authority"), "{seen}");
    let other = ask("other.example.test", port, &authority);
    assert_eq!((other.status, other.exit), (0, 35), "{other:?}");
    mesh.logged(&["outbound|443||my-nginx.default.svc.cluster.local", " nginx.example.test "]);
    mesh.logged(&[" NR filter_chain_not_found "]);
}

/// What openssl tells of the server that it finds under this name.
fn s_client(port: u16, name: &str) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", name])
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
