//! TLS that leaves the mesh: passed on as it is, or begun by the proxy.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::certificates::Authority;
use crate::curl::Reply;
use crate::mesh::{Mesh, Setup, fixture, line};
use crate::workload::{Response, Workload};

/// A server outside, with a certificate for `names`.
fn outside(authority: &Authority, names: &[&str]) -> Workload {
    let tls = authority.sign(names).server(None);
    Workload::tls("ext", "v1", tls, |_| Response::ok("outside"))
}

fn https(mesh: &Mesh, authority: &Authority, arguments: &[&str], url: &str) -> Reply {
    mesh.curl(&[&["--cacert", &authority.file()], arguments, &[url]].concat())
}

/// T20 and T21.
#[test]
fn tls_to_unknown_servers_passes_or_not_as_the_policy_says() {
    let authority = Authority::new("outside");
    let outside = outside(&authority, &["localhost"]);
    let mut mesh = Setup::new([]).with("external-http.yaml").value("EXTERNAL", 1).start();
    let url = format!("https://localhost:{}/", outside.address().port());
    assert_eq!(https(&mesh, &authority, &[], &url).summary(), (200, "outside"));
    mesh.logged(&["\"- - -\" 0 ", " PassthroughCluster "]);
    mesh.apply("policy.yaml", &fixture("outside-refused.yaml"));
    // 35: the connection ended before TLS began.
    let refused = https(&mesh, &authority, &[], &url);
    assert_eq!((refused.status, refused.exit), (0, 35), "{refused:?}");
    mesh.logged(&["\"- - -\" 0 UH ", " BlackHoleCluster "]);
}

/// T23.
#[test]
fn tls_to_a_known_server_is_told_by_its_name() {
    let authority = Authority::new("outside");
    let outside = outside(&authority, &["ext.test"]);
    let mesh = Setup::new([])
        .with("external-tls.yaml")
        .with("outside-refused.yaml")
        .value("EXTERNAL_TLS", outside.address().port())
        .start();
    let reply = https(&mesh, &authority, &[], "https://ext.test/");
    assert_eq!(reply.summary(), (200, "outside"));
    mesh.logged(&["\"- - -\" 0 ", " outbound|443||ext.test ", " ext.test "]);
}

/// T26.
#[test]
fn the_proxy_speaks_tls_for_clients_that_do_not() {
    let authority = Authority::new("outside");
    let secure = outside(&authority, &["ext.test"]);
    let plain = Workload::with("ext", "plain", |_| {
        Response::status(301, "").header("location", "https://ext.test/")
    });
    let (http, tls) = (plain.address().port(), secure.address().port());
    let before = fixture("external-both.yaml").replace("$UPGRADED", &http.to_string());
    let mut mesh = Setup::new([])
        .text("external.yaml", &before)
        .value("EXTERNAL_TLS", tls)
        .value("CA", authority.file())
        .start();
    assert_eq!(mesh.curl(&["http://ext.test/"]).status, 301);
    let after = fixture("external-both.yaml").replace("$UPGRADED", &tls.to_string())
        + "---\n"
        + &fixture("originate.yaml");
    mesh.apply("external.yaml", &after);
    assert_eq!(mesh.curl(&["http://ext.test/"]).summary(), (200, "outside"));
    assert_eq!(secure.take_seen()[0].header("host"), "ext.test");
    // Who speaks TLS already is passed on as before.
    assert_eq!(https(&mesh, &authority, &[], "https://ext.test/").summary(), (200, "outside"));
}

/// T27.
#[test]
fn one_workload_shows_a_certificate_to_the_server() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let tls = servers.sign(&["ext.test"]).server(Some(&clients));
    let outside = Workload::tls("ext", "v1", tls, |request| match request.authenticated {
        true => Response::ok("who you are"),
        false => Response::status(400, "No required SSL certificate was sent"),
    });
    let port = outside.address().port();
    let identity = clients.sign(&["client"]).secret("client-credential", Some(&servers));
    let external = fixture("external-both.yaml").replace("$UPGRADED", &port.to_string());
    let mut mesh = Setup::new([])
        .text("external.yaml", &external)
        .text("secret.yaml", &identity)
        .with("originate-mutual.yaml")
        .value("EXTERNAL_TLS", port)
        .value("SELECTOR", "workloadSelector: {matchLabels: {app: client}}")
        .arguments(&["--labels", "app=client"])
        .start();
    assert_eq!(mesh.curl(&["http://ext.test/"]).summary(), (200, "who you are"));
    let anonymous = https(&mesh, &servers, &[], "https://ext.test/");
    assert_eq!(anonymous.summary(), (400, "No required SSL certificate was sent"));
    // For another workload there is no rule, so the server hears no TLS at all.
    let other = fixture("originate-mutual.yaml")
        .replace("$SELECTOR", "workloadSelector: {matchLabels: {app: other}}");
    mesh.apply("originate-mutual.yaml", &other);
    assert_eq!(mesh.curl(&["http://ext.test/"]).status, 503);
}

/// T32.
#[test]
fn a_wildcard_lets_tls_through_to_where_the_client_wanted_to_go() {
    let authority = Authority::new("outside");
    let outside = outside(&authority, &["*.ext.test"]);
    let port = outside.address().port();
    let mesh = Setup::new([])
        .with("external-wildcard.yaml")
        .with("outside-refused.yaml")
        .value("EXTERNAL_TLS", port)
        .start();
    let to_loopback = format!("::127.0.0.1:{port}");
    for name in ["en.ext.test", "de.ext.test"] {
        let url = format!("https://{name}:{port}/");
        let reply = https(&mesh, &authority, &["--connect-to", &to_loopback], &url);
        assert_eq!(reply.summary(), (200, "outside"), "{reply:?}");
        mesh.logged(&[&format!("127.0.0.1:{port}"), "*.ext.test", name]);
    }
    let url = format!("https://ext.other:{port}/");
    assert_eq!(https(&mesh, &authority, &["--connect-to", &to_loopback], &url).exit, 35);
}

/// T34, its second half: addresses outside the mesh behind a service without a selector.
#[test]
fn a_service_of_kubernetes_can_stand_for_addresses_outside() {
    let authority = Authority::new("outside");
    let outside = outside(&authority, &["my-addresses"]);
    let mesh = Setup::new([])
        .with("external-addresses.yaml")
        .with("outside-refused.yaml")
        .value("EXTERNAL_TLS", outside.address().port())
        .start();
    let cluster_ip = ["--connect-to", "my-addresses:443:10.96.3.1:443"];
    let reply = https(&mesh, &authority, &cluster_ip, "https://my-addresses/");
    assert_eq!(reply.summary(), (200, "outside"));
    mesh.logged(&["\"- - -\" 0 ", " outbound|443||my-addresses.default.svc.cluster.local "]);
}

/// T35.
#[test]
fn a_proxy_outside_the_mesh_is_reached_as_bytes() {
    let proxy = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = proxy.local_addr().unwrap();
    thread::spawn(move || {
        for stream in proxy.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            let asked = line(&mut stream);
            while !line(&mut stream).is_empty() {}
            write!(stream.get_mut(), "HTTP/1.1 200 OK\r\n\r\n{asked}\n").unwrap();
            let first = line(&mut stream);
            writeln!(stream.get_mut(), "tunnelled {first}").unwrap();
        }
    });
    let mesh = Setup::new([])
        .with("external-proxy.yaml")
        .with("outside-refused.yaml")
        .value("PROXY", address.port())
        .start();
    let mut stream = mesh.connect(&address.to_string());
    write!(stream.get_mut(), "CONNECT ext.test:443 HTTP/1.1\r\nhost: ext.test\r\n\r\n").unwrap();
    assert_eq!(line(&mut stream), "HTTP/1.1 200 OK");
    assert_eq!(line(&mut stream), "");
    assert_eq!(line(&mut stream), "CONNECT ext.test:443 HTTP/1.1");
    stream.get_mut().write_all(b"secret\n").unwrap();
    assert_eq!(line(&mut stream), "tunnelled secret");
    drop(stream);
    mesh.logged(&["\"- - -\" 0 ", "||my-proxy.test "]);
}
