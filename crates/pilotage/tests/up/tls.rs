//! TLS at gateways and towards destinations, with clients and servers that are not ours: curl and openssl.

mod pins;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::harness::{Client, Up, reviews_at, service};

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of the tests");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, as PEM.
pub(crate) struct Shown {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Shown {
    pub(crate) fn new(authority: &Authority, name: &str) -> Self {
        Self::of_names(authority, &[name])
    }

    /// For several names.
    fn of_names(authority: &Authority, names: &[&str]) -> Self {
        let name = *names.first().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, authority).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    /// As a Secret, with the authority for certificates of clients.
    pub(crate) fn secret(&self, name: &str, authority: &Authority) -> String {
        let block = |text: &str| text.replace('\n', "\n    ");
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\nstringData:\n  \
             tls.crt: |\n    {}\n  tls.key: |\n    {}\n  ca.crt: |\n    {}\n---\n",
            block(self.certificate.trim_end()),
            block(self.key.trim_end()),
            block(authority.pem().trim_end()),
        )
    }

    pub(crate) fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.crt")), &self.certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.key).unwrap();
    }
}

/// A ConfigMap with the authorities `authority`.
fn config_map(name: &str, authority: &Authority) -> String {
    let pem = authority.pem().trim_end().replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  ca.crt: |\n    {pem}\n---\n"
    )
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A gateway with HTTPS servers on `port`: name, host and further fields of its TLS. Each host goes to the subset of
/// its number.
pub(crate) fn gateway(port: u16, servers: &[(&str, &str)]) -> String {
    let mut yaml =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  \
                    selector: {istio: ingressgateway}\n  servers:\n"
            .to_owned();
    let mut services = String::new();
    for (number, (host, tls)) in (1..).zip(servers) {
        yaml.push_str(&format!(
            "  - {{port: {{number: {port}, name: https-{number}, protocol: HTTPS}}, hosts: [{host}], tls: {{{tls}}}}}\n"
        ));
        services.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs-{number}}}\nspec:\n  \
             hosts: [{host}]\n  gateways: [edge]\n  \
             http: [{{route: [{{destination: {{host: reviews, subset: v{number}}}}}]}}]\n"
        ));
    }
    yaml + &services
}

/// curl to `host` at the gateway, which is on loopback.
pub(crate) fn curl(ca: &Path, port: u16, host: &str, arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert"])
        .arg(ca)
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(arguments)
        .arg(format!("https://{host}:{port}/"))
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn wrote(folder: &Path, ca: &Authority) -> std::path::PathBuf {
    let path = folder.join("ca.pem");
    std::fs::write(&path, ca.pem()).unwrap();
    path
}

#[test]
fn each_server_name_gets_its_certificate_and_its_rules() {
    let (ca, port) = (authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let pem = wrote(certificates.path(), &ca);
    let secrets = Shown::new(&ca, "one.test").secret("one", &ca)
        + &Shown::new(&ca, "two.test").secret("two", &ca);
    let edge = gateway(
        port,
        &[
            ("one.test", "mode: SIMPLE, credentialName: one"),
            ("two.test", "mode: SIMPLE, credentialName: two, minProtocolVersion: TLSV1_3"),
        ],
    );
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("edge.yaml", edge), ("secrets.yaml", secrets)]);
    assert_eq!(up.url("gateway"), format!("https://127.0.0.1:{port}"));
    // The certificate is checked by curl, so that a wrong one is an error.
    assert_eq!(stdout(&curl(&pem, port, "one.test", &["--http1.1"])), "v1");
    assert_eq!(stdout(&curl(&pem, port, "two.test", &["--http1.1"])), "v2");
    let version = ["--write-out", " %{http_version}"];
    assert_eq!(stdout(&curl(&pem, port, "one.test", &version)), "v1 2");
    // No chain is for this name: the connection is closed.
    let other = curl(&pem, port, "three.test", &[]);
    assert_eq!(other.status.code(), Some(35), "{other:?}");
    // TLS 1.2 is allowed for one of the names only.
    let old = ["--tls-max", "1.2"];
    assert_eq!(stdout(&curl(&pem, port, "one.test", &old)), "v1");
    let refused = curl(&pem, port, "two.test", &old);
    assert_eq!(refused.status.code(), Some(35), "{refused:?}");
    // What should come through TLS does not come in the clear.
    let plain = Command::new("curl")
        .args(["--silent", "--noproxy", "*", "-H", "Host: one.test"])
        .arg(format!("http://127.0.0.1:{port}/"))
        .status()
        .unwrap();
    assert!(!plain.success());
}

/// Nothing in these files stands for the gateway, so that it runs where its Gateway object is.
#[test]
fn a_gateway_that_nothing_stands_for_has_the_secrets_of_its_object() {
    let (ca, other, port) = (authority(), authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let pem = wrote(certificates.path(), &ca);
    let of = |namespace: &str, name: &str| format!("name: {name}, namespace: {namespace}");
    let secret = |ca: &Authority, host: &str, namespace: &str, name: &str| {
        let secret = Shown::new(ca, host).secret(name, ca);
        secret.replace(&format!("name: {name}"), &of(namespace, name))
    };
    let secrets = secret(&ca, "one.test", "shop", "one")
        + &secret(&other, "one.test", "istio-system", "one")
        + &secret(&ca, "two.test", "shop", "two")
        + &secret(&other, "three.test", "istio-system", "three");
    let edge = gateway(
        port,
        &[
            ("one.test", "mode: SIMPLE, credentialName: one"),
            ("two.test", "mode: SIMPLE, credentialName: shop/two"),
            ("three.test", "mode: SIMPLE, credentialName: istio-system/three"),
        ],
    );
    let edge = edge
        .replace("name: edge}", "name: edge, namespace: shop}")
        .replace("gateways: [edge]", "gateways: [shop/edge]");
    let yaml = reviews_at(&[service("v1"), service("v2"), service("v3")]);
    let up = Up::start(&[("services.yaml", yaml), ("edge.yaml", edge), ("secrets.yaml", secrets)]);
    assert_eq!(stdout(&curl(&pem, port, "one.test", &[])), "v1");
    assert_eq!(stdout(&curl(&pem, port, "two.test", &[])), "v2");
    // A proxy gets no secrets of other namespaces, even those that are named with theirs.
    let refused = curl(&pem, port, "three.test", &[]);
    assert_eq!(refused.status.code(), Some(35), "{refused:?}");
    drop(up);
}

#[test]
fn a_client_certificate_is_asked_for_and_told_upstream() {
    let (ca, port) = (authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca);
    Shown::new(&ca, "client.test").write(folder, "client");
    Shown::new(&authority(), "stranger.test").write(folder, "stranger");
    let secrets = Shown::new(&ca, "one.test").secret("one", &ca)
        + &Shown::new(&ca, "two.test").secret("two", &ca);
    let edge = gateway(
        port,
        &[
            ("one.test", "mode: MUTUAL, credentialName: one"),
            ("two.test", "mode: OPTIONAL_MUTUAL, credentialName: two"),
        ],
    );
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("edge.yaml", edge), ("secrets.yaml", secrets)]);
    let shows = |name: &str| -> Vec<String> {
        let file = |kind: &str| folder.join(format!("{name}.{kind}")).display().to_string();
        vec!["--cert".into(), file("crt"), "--key".into(), file("key")]
    };
    let get = |host: &str, shown: Option<&str>| {
        let arguments = shown.map(shows).unwrap_or_default();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        curl(&pem, port, host, &arguments)
    };
    assert_eq!(stdout(&get("one.test", Some("client"))), "v1");
    assert!(!get("one.test", None).status.success());
    assert!(!get("one.test", Some("stranger")).status.success());
    assert_eq!(stdout(&get("two.test", Some("client"))), "v2");
    assert_eq!(stdout(&get("two.test", None)), "v2");
    assert!(!get("two.test", Some("stranger")).status.success());
    drop(up);
}

#[test]
fn authorities_of_a_config_map_are_replaced_by_its_next_version() {
    let (ca, next, port) = (authority(), authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca);
    Shown::new(&ca, "old.test").write(folder, "old");
    Shown::new(&next, "new.test").write(folder, "new");
    let tls =
        "mode: MUTUAL, credentialName: one, caCertCredentialName: 'configmap://default/clients'";
    let up = Up::start(&[
        ("services.yaml", reviews_at(&[service("v1")])),
        ("edge.yaml", gateway(port, &[("one.test", tls)])),
        ("secret.yaml", Shown::new(&ca, "one.test").secret("one", &ca)),
        ("clients.yaml", config_map("clients", &ca)),
    ]);
    let get = |shown: &str| {
        let file = |kind: &str| folder.join(format!("{shown}.{kind}")).display().to_string();
        curl(&pem, port, "one.test", &["--cert", &file("crt"), "--key", &file("key")])
    };
    assert_eq!(stdout(&get("old")), "v1");
    assert!(!get("new").status.success());
    up.save("clients.yaml", &config_map("clients", &next));
    up.line_with("generation 2:");
    assert_eq!(stdout(&get("new")), "v1");
    assert!(!get("old").status.success());
}

#[test]
fn a_secret_that_is_replaced_is_used_at_once_and_a_broken_one_never() {
    let (ca, next, port) = (authority(), authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let pem = wrote(certificates.path(), &ca);
    let next_folder = tempfile::tempdir().unwrap();
    let next_pem = wrote(next_folder.path(), &next);
    let first = Shown::new(&ca, "one.test");
    let edge = gateway(port, &[("one.test", "mode: SIMPLE, credentialName: one")]);
    let up = Up::start(&[
        ("services.yaml", reviews_at(&[service("v1")])),
        ("edge.yaml", edge),
        ("secret.yaml", first.secret("one", &ca)),
    ]);
    assert_eq!(stdout(&curl(&pem, port, "one.test", &[])), "v1");

    let second = Shown::new(&next, "one.test");
    let mismatched = Shown { certificate: second.certificate.clone(), key: first.key.clone() };
    up.save("secret.yaml", &mismatched.secret("one", &next));
    up.line_with("generation 2:");
    assert_eq!(stdout(&curl(&pem, port, "one.test", &[])), "v1");

    up.save("secret.yaml", &second.secret("one", &next));
    up.line_with("generation 3:");
    assert_eq!(stdout(&curl(&next_pem, port, "one.test", &[])), "v1");
    assert!(!curl(&pem, port, "one.test", &[]).status.success());
}

/// A service outside the mesh at `port`, reached as `api.test`, and TLS towards it.
fn outside(port: u16, tls: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: api}}\nspec:\n  \
         hosts: [api.test]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: api}}\nspec:\n  \
         host: api.test\n  trafficPolicy: {{tls: {{{tls}}}}}\n"
    )
}

/// openssl as a TLS server that answers every request with a page about the connection.
pub(crate) struct Openssl {
    child: Child,
    pub(crate) port: u16,
}

impl Openssl {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let port = free_port();
        let child = Command::new("openssl")
            .args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", "server.crt", "-key", "server.key"])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        Self { child, port }
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a client inside the mesh gets for a request to `api.test`: status, and the whole answer as text.
pub(crate) fn ask(port: u16, tls: &str) -> (u16, String) {
    ask_with(port, tls, "")
}

/// The same, where there are these objects too.
fn ask_with(port: u16, tls: &str, more: &str) -> (u16, String) {
    let up = Up::start(&[("outside.yaml", outside(port, tls)), ("more.yaml", more.to_owned())]);
    let answer = Command::new("curl")
        .args(["--silent", "--max-time", "20", "--noproxy", "", "--write-out", "\n%{http_code}"])
        .args(["--proxy", &format!("http://{}", up.address("mesh")), "http://api.test/"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn tls_begins_here_for_clients_that_speak_none() {
    let ca = authority();
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca).display().to_string();
    Shown::new(&ca, "api.test").write(folder, "server");
    Shown::new(&ca, "client.test").write(folder, "client");
    let server = Openssl::start(folder, &[]);
    let (status, body) = ask(server.port, &format!("mode: SIMPLE, caCertificates: {pem}"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("TLSv1.3"), "{body}");
    for (tls, wanted) in [
        (format!("mode: SIMPLE, caCertificates: {pem}, subjectAltNames: [api.test]"), 200),
        (format!("mode: SIMPLE, caCertificates: {pem}, subjectAltNames: [other.test]"), 503),
        (format!("mode: SIMPLE, caCertificates: {pem}, sni: other.test"), 200),
        // The system's authorities did not sign it.
        ("mode: SIMPLE".to_owned(), 503),
        ("mode: SIMPLE, insecureSkipVerify: true".to_owned(), 200),
        (format!("mode: SIMPLE, caCertificates: {pem}.missing"), 503),
    ] {
        let (status, body) = ask(server.port, &tls);
        assert_eq!(status, wanted, "{tls}: {body}");
        if status == 503 {
            assert!(body.ends_with("reset reason: remote connection failure"), "{body}");
        }
    }
    let map = config_map("roots", &ca);
    for (name, wanted) in [("roots", 200), ("missing", 503)] {
        let tls = format!("mode: SIMPLE, credentialName: 'configmap://default/{name}'");
        let (status, body) = ask_with(server.port, &tls, &map);
        assert_eq!(status, wanted, "{tls}: {body}");
    }
    let demanding =
        Openssl::start(folder, &["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"]);
    let (crt, key) = (folder.join("client.crt"), folder.join("client.key"));
    let mutual = format!(
        "mode: MUTUAL, caCertificates: {pem}, clientCertificate: {}, privateKey: {}",
        crt.display(),
        key.display()
    );
    let (status, body) = ask(demanding.port, &mutual);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("client.test"), "{body}");
    let (status, _) = ask(demanding.port, &format!("mode: SIMPLE, caCertificates: {pem}"));
    assert_eq!(status, 503);
}

#[test]
fn mutual_tls_of_the_mesh_is_never_replaced_by_plain_text() {
    let plain = service("plain");
    let up = Up::start(&[("outside.yaml", outside(plain.port(), "mode: ISTIO_MUTUAL"))]);
    let mut client = Client::connect(up.address("mesh"));
    let answer = client.get("http://api.test/", "api.test", "");
    assert_eq!(answer.status, 503);
    assert!(answer.body.ends_with("reset reason: remote connection failure"), "{}", answer.body);
}
