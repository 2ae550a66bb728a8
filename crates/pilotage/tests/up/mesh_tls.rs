//! What the mesh says about TLS, in handshakes with curl.

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use crate::harness::{Up, reviews_at, service};
use crate::mesh_settings::mesh;
use crate::tls::{Authority, Shown, authority, curl, free_port, gateway, stdout, wrote};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn defaults_hold_for_servers_that_say_nothing_themselves() {
    let (ca, certificates) = (authority(), tempfile::tempdir().unwrap());
    let pem = wrote(certificates.path(), &ca);
    let secrets = Shown::new(&ca, "a.test").secret("a", &ca);
    let own = "mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_2, \
               cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]";
    let port = free_port();
    let servers = [("a.test", "mode: SIMPLE, credentialName: a"), ("own.test", own)];
    let files = |settings: &str| {
        [
            ("services.yaml", reviews_at(&[service("v1"), service("v2")])),
            ("edge.yaml", gateway(port, &servers)),
            ("secrets.yaml", secrets.clone()),
            ("istio.yaml", mesh(settings)),
        ]
    };
    let up = Up::start(&files("tlsDefaults: {minProtocolVersion: TLSV1_3}"));
    let accepts = |host: &str, arguments: &str| {
        let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
        // The certificate is for another name than that of the second server.
        arguments.push("--insecure");
        curl(&pem, port, host, &arguments).status.success()
    };
    assert_eq!(stdout(&curl(&pem, port, "a.test", &[])), "v1");
    assert!(!accepts("a.test", "--tls-max 1.2"));
    assert!(accepts("own.test", "--tls-max 1.2"));

    let settings =
        "tlsDefaults: {cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384], ecdhCurves: [P-384]}";
    up.save("istio.yaml", &mesh(settings));
    up.line_with("generation 2:");
    for (host, arguments, accepted) in [
        ("a.test", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384", true),
        ("a.test", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256", false),
        ("own.test", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256", true),
        ("own.test", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384", false),
        ("a.test", "--curves secp384r1", true),
        ("a.test", "--curves prime256v1", false),
    ] {
        assert_eq!(accepts(host, arguments), accepted, "{host} {arguments}");
    }
}

/// A certificate with all that can be told of one.
fn client(folder: &Path, ca: &Authority) {
    let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "client");
    let uri = "spiffe://cluster.local/ns/a/sa/b".try_into().unwrap();
    params.subject_alt_names.push(SanType::URI(uri));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap().pem();
    Shown { certificate, key: key.serialize_pem() }.write(folder, "client");
}

#[test]
fn workloads_are_told_of_certificates_what_the_mesh_says() {
    let (ca, certificates, port) = (authority(), tempfile::tempdir().unwrap(), free_port());
    let folder = certificates.path();
    let (pem, log) = (wrote(folder, &ca), folder.join("log"));
    client(folder, &ca);
    let settings = |headers: &str, topology: &str| {
        mesh(&format!(
            "accessLogFile: {}\naccessLogFormat: \"%REQ(:PATH)% %REQ(X-FORWARDED-CLIENT-CERT)%\\n\"\n\
             defaultConfig: {{proxyHeaders: {{{headers}}}, gatewayTopology: {{{topology}}}}}",
            log.display()
        ))
    };
    let up = Up::start(&[
        ("services.yaml", reviews_at(&[service("v1")])),
        ("edge.yaml", gateway(port, &[("a.test", "mode: MUTUAL, credentialName: a")])),
        ("secrets.yaml", Shown::new(&ca, "a.test").secret("a", &ca)),
        ("istio.yaml", settings("", "")),
    ]);
    let off = "setCurrentClientCertDetails: {subject: false, dns: false, uri: false}";
    let on = "setCurrentClientCertDetails: {cert: true, chain: true}";
    let set = "Hash Cert Subject URI DNS";
    let cases = [
        ("", "", set),
        (off, "", "Hash"),
        (on, "", "Hash Cert Chain Subject URI DNS"),
        ("forwardedClientCert: FORWARD_ONLY", "", "By"),
        ("forwardedClientCert: SANITIZE", "", ""),
        ("forwardedClientCert: APPEND_FORWARD", "", "By,Hash Cert Subject URI DNS"),
        ("forwardedClientCert: SANITIZE", "forwardClientCertDetails: SANITIZE_SET", set),
    ];
    for (number, (headers, topology, expected)) in (1..).zip(cases) {
        if number > 1 {
            up.save("istio.yaml", &settings(headers, topology));
            up.line_with(&format!("generation {number}:"));
        }
        let file = |kind: &str| folder.join(format!("client.{kind}")).display().to_string();
        let told = ["-H", "x-forwarded-client-cert: By=me"];
        let path = ["--path-as-is", "--request-target", &format!("/{number}")];
        let shown = ["--cert", &file("crt"), "--key", &file("key")];
        let answer = curl(&pem, port, "a.test", &[&told[..], &path, &shown].concat());
        assert_eq!(stdout(&answer), "v1");
        assert_eq!(names(&line(&log, &format!("/{number} "))), expected, "{headers} {topology}");
    }
}

/// The line of the log that begins so, without that.
fn line(log: &Path, start: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if let Some(found) = text.lines().find_map(|line| line.strip_prefix(start)) {
            return found.to_owned();
        }
        assert!(Instant::now() < deadline, "no line that begins with `{start}` in {text}");
        std::thread::sleep(Duration::from_millis(10)); // between two looks
    }
}

/// The names of what a header about certificates says, without repetitions.
fn names(header: &str) -> String {
    let of_element = |element: &str| {
        let mut names: Vec<&str> =
            element.split(';').filter_map(|part| Some(part.split_once('=')?.0)).collect();
        names.dedup();
        names.join(" ")
    };
    header.split(',').map(of_element).collect::<Vec<_>>().join(",")
}
