//! TLS that a Sidecar object ends at the ports of its workload, with clients that are not ours.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Up, service};
use crate::revocation::revoked;
use crate::tls::{Shown, authority, curl, free_port, stdout, wrote};

/// Reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A workload that accepts no mTLS of the mesh, and its ports: number, protocol, and fields of their TLS.
fn sidecar(ports: &[(u16, &str, String)], to: u16) -> String {
    let mut yaml = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: plain}\n\
                    spec: {mtls: {mode: DISABLE}}\n---\n\
                    apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: web}\nspec:\n  ingress:\n"
        .to_owned();
    for (port, protocol, tls) in ports {
        yaml.push_str(&format!(
            "  - port: {{number: {port}, protocol: {protocol}, name: p-{port}}}\n    bind: 127.0.0.1\n    \
             captureMode: NONE\n    defaultEndpoint: 127.0.0.1:{to}\n    tls: {{{tls}}}\n"
        ));
    }
    yaml
}

/// The files of a server certificate, as fields.
fn server(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!("serverCertificate: {}, privateKey: {}", path("server.crt"), path("server.key"))
}

#[test]
fn versions_ciphers_and_curves_are_those_of_the_port() {
    let (ca, app) = (authority(), service("app"));
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca);
    Shown::new(&ca, "web.test").write(folder, "server");
    let files = server(folder);
    let [simple, modern, old, bytes] = std::array::from_fn(|_| free_port());
    let cipher = "ECDHE-ECDSA-AES256-GCM-SHA384";
    let ports = [
        (simple, "HTTPS", format!("mode: SIMPLE, {files}")),
        (modern, "HTTPS", format!("mode: SIMPLE, {files}, minProtocolVersion: TLSV1_3")),
        (
            old,
            "HTTPS",
            format!(
                "mode: SIMPLE, {files}, maxProtocolVersion: TLSV1_2, cipherSuites: [{cipher}], ecdhCurves: [P-384]"
            ),
        ),
        (bytes, "TLS", format!("mode: SIMPLE, {files}")),
    ];
    let up = Up::start(&[("web.yaml", sidecar(&ports, app.port()))]);
    let get = |port: u16, arguments: &str| {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        curl(&pem, port, "web.test", &arguments)
    };
    assert_eq!(stdout(&get(simple, "--http1.1")), "app");
    assert_eq!(stdout(&get(simple, "--write-out %{http_version}")), "app2");
    for (port, arguments, accepted) in [
        (simple, "--tls-max 1.2", true),
        (modern, "", true),
        (modern, "--tls-max 1.2", false),
        (old, "", true),
        (old, "--tlsv1.3", false),
        (old, "--ciphers ECDHE-ECDSA-AES256-GCM-SHA384", true),
        (old, "--ciphers ECDHE-ECDSA-AES128-GCM-SHA256", false),
        // In TLS 1.2 the curves are those of the certificate as well.
        (old, "--curves secp384r1:prime256v1", true),
        (old, "--curves prime256v1", false),
    ] {
        assert_eq!(get(port, arguments).status.success(), accepted, "{port} {arguments}");
    }
    // A request without a host is no concern of a port for bytes.
    let without_host = |port| curl(&pem, port, "web.test", &["--http1.1", "--fail", "-H", "Host:"]);
    assert_eq!(stdout(&without_host(bytes)), "app");
    assert!(!without_host(simple).status.success());
    // What should come through TLS does not come in the clear.
    let plain = Command::new("curl")
        .args(["--silent", "--noproxy", "*", &format!("http://127.0.0.1:{simple}/")])
        .status()
        .unwrap();
    assert!(!plain.success());
    drop(up);
}

/// What openssl prints for these words of a command line, the last of which is a shell's pipe where they have one.
fn openssl(folder: &Path, command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn certificates_of_clients_are_checked_as_the_port_says() {
    let (ca, app) = (authority(), service("app"));
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca);
    for (name, signer) in
        [("server", &ca), ("client", &ca), ("other", &ca), ("stranger", &authority())]
    {
        Shown::new(signer, &format!("{name}.test")).write(folder, name);
    }
    revoked(&ca, folder, "revoked");
    let hash = openssl(folder, "openssl x509 -in client.crt -noout -fingerprint -sha256");
    let hash = hash.split_once('=').unwrap().1;
    let key = openssl(
        folder,
        "openssl x509 -in client.crt -noout -pubkey | openssl pkey -pubin -outform der | \
         openssl dgst -sha256 -binary | openssl base64",
    );
    let base = format!("{}, caCertificates: {}", server(folder), pem.display());
    let list = folder.join("list.crl").display().to_string();
    let all = ["", "client", "other", "revoked", "stranger"];
    let settings: [(String, &[&str]); 7] = [
        ("mode: MUTUAL".into(), &["client", "other", "revoked"]),
        ("mode: OPTIONAL_MUTUAL".into(), &["", "client", "other", "revoked"]),
        (format!("mode: MUTUAL, caCrl: {list}"), &["client", "other"]),
        (format!("mode: MUTUAL, verifyCertificateHash: ['{hash}']"), &["client"]),
        (format!("mode: MUTUAL, verifyCertificateSpki: ['{key}']"), &["client"]),
        ("mode: MUTUAL, insecureSkipVerify: true".into(), &all[1..]),
        ("mode: SIMPLE".into(), &all),
    ];
    let ports = settings.each_ref().map(|_| free_port());
    let fields =
        |(port, (tls, _)): (&u16, &(String, _))| (*port, "HTTPS", format!("{tls}, {base}"));
    let ports_of: Vec<_> = ports.iter().zip(&settings).map(fields).collect();
    let up = Up::start(&[("web.yaml", sidecar(&ports_of, app.port()))]);
    for (port, (tls, accepted)) in ports.iter().zip(&settings) {
        for shown in all {
            let file = |kind: &str| folder.join(format!("{shown}.{kind}")).display().to_string();
            let (certificate, key) = (file("crt"), file("key"));
            let arguments = ["--cert", &certificate, "--key", &key];
            let arguments = if shown.is_empty() { &[] } else { &arguments[..] };
            let answer = curl(&pem, *port, "server.test", arguments);
            let is_accepted = answer.status.success();
            assert_eq!(is_accepted, accepted.contains(&shown), "{tls}: `{shown}` {answer:?}");
        }
    }
    drop(up);
}

#[test]
fn files_that_are_replaced_are_used_without_a_restart() {
    let (ca, next, app, port) = (authority(), authority(), service("app"), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let (folder, later) = (certificates.path(), tempfile::tempdir().unwrap());
    let (pem, next_pem) = (wrote(folder, &ca), wrote(later.path(), &next));
    Shown::new(&ca, "web.test").write(folder, "server");
    let ports = [(port, "HTTPS", format!("mode: SIMPLE, {}", server(folder)))];
    let up = Up::start(&[("web.yaml", sidecar(&ports, app.port()))]);
    assert_eq!(stdout(&curl(&pem, port, "web.test", &[])), "app");
    Shown::new(&next, "web.test").write(folder, "server");
    let end = Instant::now() + PATIENCE;
    while !curl(&next_pem, port, "web.test", &[]).status.success() {
        assert!(Instant::now() < end, "the new certificate is not used");
    }
    assert!(!curl(&pem, port, "web.test", &[]).status.success());
    drop(up);
}
