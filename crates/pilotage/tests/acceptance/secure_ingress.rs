//! TLS at the gateway, and through it.

use std::process::{Command, Stdio};

use crate::certificates::Authority;
use crate::curl::{Reply, curl};
use crate::mesh::{Mesh, Setup, free_port};
use crate::workload::{Response, Workload};

fn backends() -> [Workload; 2] {
    let teapot = Workload::with("be", "v1", |_| Response::status(418, "teapot"));
    [teapot, Workload::with("be", "v2", |_| Response::ok("hello from two"))]
}

fn start(backends: &[Workload], port: u16, mode: &str, secrets: &str) -> Mesh {
    Setup::new(backends)
        .with("backend.yaml")
        .with("ingress-tls.yaml")
        .text("secrets.yaml", secrets)
        .value("WEB", port)
        .value("MODE", mode)
        .start()
}

/// Asks for a host at the gateway, and trusts `authority`.
fn ask(host: &str, port: u16, path: &str, authority: &Authority, arguments: &[&str]) -> Reply {
    let (at, url) = (format!("{host}:{port}:127.0.0.1"), format!("https://{host}:{port}{path}"));
    let file = authority.file();
    curl(&[&["--resolve", &at, "--cacert", &file], arguments, &[&url]].concat())
}

/// T15.
#[test]
fn a_gateway_ends_tls_and_takes_up_a_new_certificate() {
    let (backends, port) = (backends(), free_port());
    let first = Authority::new("the first authority");
    let secret = first.sign(&["app.example.test"]).secret("app-cert", None);
    let mut mesh = start(&backends, port, "SIMPLE", &secret);
    let reply = ask("app.example.test", port, "/status/418", &first, &[]);
    assert_eq!((reply.version.as_str(), reply.status), ("HTTP/2", 418));
    assert_eq!(reply.body, "teapot");
    let old = ask("app.example.test", port, "/status/418", &first, &["--http1.1"]);
    assert_eq!((old.version.as_str(), old.status), ("HTTP/1.1", 418));
    assert_eq!(backends[0].take_seen()[0].header("x-forwarded-proto"), "https");

    let second = Authority::new("the second authority");
    mesh.apply("secrets.yaml", &second.sign(&["app.example.test"]).secret("app-cert", None));
    // 60: the certificate is signed by nobody that curl trusts.
    assert_eq!(ask("app.example.test", port, "/status/418", &first, &[]).exit, 60);
    assert_eq!(ask("app.example.test", port, "/status/418", &second, &[]).status, 418);
}

/// T16.
#[test]
fn each_host_of_a_port_has_its_certificate_and_its_routes() {
    let (backends, port) = (backends(), free_port());
    let (app, two) = (Authority::new("app's authority"), Authority::new("two's authority"));
    let secrets = app.sign(&["app.example.test"]).secret("app-cert", None)
        + &two.sign(&["two.example.test"]).secret("two-cert", None);
    let _mesh = start(&backends, port, "SIMPLE", &secrets);
    assert_eq!(ask("app.example.test", port, "/status/418", &app, &[]).status, 418);
    let hello = ask("two.example.test", port, "/hello", &two, &[]);
    assert_eq!(hello.summary(), (200, "hello from two"));
    assert_eq!(ask("two.example.test", port, "/status/418", &two, &[]).status, 404);
    // Neither has the other's certificate.
    assert_eq!(ask("two.example.test", port, "/hello", &app, &[]).exit, 60);
    for host in ["app.example.test", "two.example.test"] {
        let seen = s_client(port, host);
        assert!(seen.contains(&format!("subject=CN = {host}")), "{seen}");
    }
    let unknown = s_client(port, "unknown.example.test");
    assert!(unknown.contains("no peer certificate available"), "{unknown}");
}

/// T17.
#[test]
fn clients_have_to_show_a_certificate_that_is_trusted() {
    let (backends, port) = (backends(), free_port());
    let (server, clients) = (Authority::new("for servers"), Authority::new("for clients"));
    let secret = server.sign(&["app.example.test"]).secret("app-cert", Some(&clients));
    let _mesh = start(&backends, port, "MUTUAL", &secret);
    let with = |authority: &Authority| {
        let identity = authority.sign(&["client"]);
        let (certificate, key) = (identity.certificate_file(), identity.key_file());
        let arguments = ["--cert", certificate.as_str(), "--key", key.as_str()];
        ask("app.example.test", port, "/status/418", &server, &arguments)
    };
    assert_eq!(with(&clients).status, 418);
    for refused in
        [ask("app.example.test", port, "/status/418", &server, &[]), with(&Authority::new("other"))]
    {
        assert!(refused.status == 0 && [35, 55, 56].contains(&refused.exit), "{refused:?}");
    }
    assert_eq!(backends[0].take_seen().len(), 1);
}

/// T18.
#[test]
fn tls_is_passed_on_by_the_name_in_its_hello() {
    let authority = Authority::new("the server's own authority");
    let tls = authority.sign(&["nginx.example.test", "other.example.test"]).server(None);
    let nginx = Workload::tls("my-nginx", "v1", tls, |_| Response::ok("a page")).port("https");
    let port = free_port();
    let mesh = Setup::new([&nginx]).with("ingress-passthrough.yaml").value("WEB", port).start();
    let page = ask("nginx.example.test", port, "/", &authority, &[]);
    assert_eq!(page.summary(), (200, "a page"));
    let seen = s_client(port, "nginx.example.test");
    assert!(seen.contains("issuer=CN = the server's own authority"), "{seen}");
    let other = ask("other.example.test", port, "/", &authority, &[]);
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
