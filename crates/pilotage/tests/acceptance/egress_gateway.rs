//! Traffic that leaves the mesh by a gateway.

use crate::certificates::{Authority, Identity};
use crate::curl::Reply;
use crate::mesh::{Mesh, Setup, fixture, free_port};
use crate::workload::{Response, Workload};

const TO_GATEWAY: &str = "|ext|istio-egressgateway.istio-system.svc.cluster.local";

/// The servers outside: one for HTTP, one for TLS, which says who asked.
struct Outside {
    servers: Authority,
    clients: Authority,
    plain: Workload,
    secure: Workload,
}

impl Outside {
    fn start() -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let tls = servers.sign(&["ext.test", "*.ext.test"]).server(Some(&clients));
        let secure = Workload::tls("ext", "v1", tls, |request| match request.authenticated {
            true => Response::ok("secure, known"),
            false => Response::ok("secure"),
        });
        Self { servers, clients, plain: Workload::new("ext", "plain"), secure }
    }

    /// A mesh that knows them and has a gateway on the way to them.
    fn setup(&self) -> Setup<'static> {
        let external = fixture("external-both.yaml");
        Setup::new([])
            .text("external.yaml", &external)
            .with("egress-gateway.yaml")
            .value("UPGRADED", self.plain.address().port())
            .value("EXTERNAL_TLS", self.secure.address().port())
            .value("GATEWAY_HTTP", free_port())
            .value("GATEWAY_TLS", free_port())
    }

    fn https(&self, mesh: &Mesh, arguments: &[&str], url: &str) -> Reply {
        mesh.curl(&[&["--cacert", &self.servers.file()], arguments, &[url]].concat())
    }

    fn client(&self) -> Identity {
        self.clients.sign(&["client"])
    }
}

/// T28.
#[test]
fn http_goes_by_the_gateway() {
    let outside = Outside::start();
    let mesh = outside.setup().with("egress-http.yaml").value("LAST", 80).start();
    assert_eq!(mesh.curl(&["http://ext.test/way"]).summary(), (200, "plain"));
    mesh.logged(&["GET /way", &format!("outbound|80{TO_GATEWAY}")]);
    mesh.logged(&["GET /way", " outbound|80||ext.test "]);
    let seen = outside.plain.take_seen();
    assert_eq!((seen.len(), seen[0].header("host")), (1, "ext.test"));
}

/// T29.
#[test]
fn tls_goes_by_the_gateway_unopened() {
    let outside = Outside::start();
    let mesh = outside.setup().with("egress-tls.yaml").value("NAME", "ext.test").start();
    let reply = outside.https(&mesh, &[], "https://ext.test/");
    assert_eq!(reply.summary(), (200, "secure"));
    mesh.logged(&["\"- - -\" 0 ", &format!("outbound|443{TO_GATEWAY}"), " ext.test "]);
    mesh.logged(&["\"- - -\" 0 ", " outbound|443||ext.test ", " ext.test "]);
}

/// T30.
#[test]
fn the_gateway_speaks_tls_to_the_outside() {
    let outside = Outside::start();
    let tls = format!("mode: SIMPLE, caCertificates: {}", outside.servers.file());
    let mesh = outside
        .setup()
        .with("egress-http.yaml")
        .value("LAST", 443)
        .with("originate-at-gateway.yaml")
        .value("TLS", tls)
        .start();
    assert_eq!(mesh.curl(&["http://ext.test/way"]).summary(), (200, "secure"));
    mesh.logged(&["GET /way", &format!("outbound|80{TO_GATEWAY}")]);
    mesh.logged(&["GET /way", " outbound|443||ext.test "]);
}

/// T31, its second leg; on the first, workloads would show the mesh's certificates to each other.
#[test]
fn the_gateway_shows_a_certificate_to_the_outside() {
    let outside = Outside::start();
    let client = outside.client();
    let tls = format!(
        "mode: MUTUAL, caCertificates: {}, clientCertificate: {}, privateKey: {}",
        outside.servers.file(),
        client.certificate_file(),
        client.key_file()
    );
    let mesh = outside
        .setup()
        .with("egress-http.yaml")
        .value("LAST", 443)
        .with("originate-at-gateway.yaml")
        .value("TLS", tls)
        .start();
    assert_eq!(mesh.curl(&["http://ext.test/way"]).summary(), (200, "secure, known"));
}

/// T33. Whatever the name, the gateway has one place to send it to.
#[test]
fn a_wildcard_goes_by_the_gateway_to_one_server() {
    let outside = Outside::start();
    let mesh = outside
        .setup()
        .with("egress-wildcard.yaml")
        .with("egress-tls.yaml")
        .value("NAME", "*.ext.test")
        .start();
    // Nobody knows the address of such a name; the client has found some.
    let found = ["--connect-to", "::192.0.2.7:443"];
    for name in ["en.ext.test", "de.ext.test"] {
        let reply = outside.https(&mesh, &found, &format!("https://{name}/"));
        assert_eq!(reply.summary(), (200, "secure"), "{reply:?}");
        mesh.logged(&[" outbound|443||ext.test ", name]);
    }
}
