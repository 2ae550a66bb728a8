//! Which certificates of clients a gateway takes besides those that an authority has signed, and which curves it speaks.

use std::path::Path;
use std::process::Command;

use super::{Shown, authority, curl, free_port, gateway, stdout, wrote};
use crate::harness::{Up, reviews_at, service};

/// What openssl says of the certificate `name`: its hash, and that of its key.
fn pins(folder: &Path, name: &str) -> (String, String) {
    let shell = |script: String| {
        let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
        stdout(&output).trim().to_owned()
    };
    let hash = shell(format!("openssl x509 -in {name}.crt -outform der | openssl dgst -sha256 -r"));
    let key = shell(format!(
        "openssl x509 -in {name}.crt -noout -pubkey | openssl pkey -pubin -outform der | \
         openssl dgst -sha256 -binary | openssl base64"
    ));
    (hash.split(' ').next().unwrap().to_owned(), key)
}

#[test]
fn clients_are_known_by_their_certificates_or_keys() {
    let (ca, port) = (authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let folder = certificates.path();
    let pem = wrote(folder, &ca);
    for name in ["one", "other"] {
        Shown::new(&ca, &format!("{name}.test")).write(folder, name);
    }
    Shown::new(&authority(), "stranger.test").write(folder, "stranger");
    let (hash, spki) = pins(folder, "one");
    let edge = gateway(
        port,
        &[
            (
                "hash.test",
                &format!("mode: MUTUAL, credentialName: c, verifyCertificateHash: ['{hash}']"),
            ),
            (
                "spki.test",
                &format!("mode: MUTUAL, credentialName: c, verifyCertificateSpki: ['{spki}']"),
            ),
            ("any.test", "mode: MUTUAL, credentialName: c, insecureSkipVerify: true"),
            ("ca.test", "mode: MUTUAL, credentialName: c"),
        ],
    );
    let secret = Shown::of_names(&ca, &["hash.test", "spki.test", "any.test", "ca.test"]);
    let services = [service("v1"), service("v2"), service("v3"), service("v4")];
    let _up = Up::start(&[
        ("services.yaml", reviews_at(&services)),
        ("edge.yaml", edge),
        ("secrets.yaml", secret.secret("c", &ca)),
    ]);
    for (host, shown, taken) in [
        ("hash.test", Some("one"), true),
        ("hash.test", Some("other"), false),
        ("hash.test", Some("stranger"), false),
        ("hash.test", None, false),
        ("spki.test", Some("one"), true),
        ("spki.test", Some("other"), false),
        ("any.test", Some("other"), true),
        ("any.test", Some("stranger"), true),
        ("any.test", None, false),
        ("ca.test", Some("other"), true),
        ("ca.test", Some("stranger"), false),
    ] {
        let file =
            |kind: &str| folder.join(format!("{}.{kind}", shown.unwrap())).display().to_string();
        let arguments = match shown {
            Some(_) => vec!["--cert".to_owned(), file("crt"), "--key".to_owned(), file("key")],
            None => Vec::new(),
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = curl(&pem, port, host, &arguments);
        assert_eq!(answer.status.success(), taken, "{host} {shown:?} {answer:?}");
    }
}

#[test]
fn a_server_speaks_its_curves_only() {
    let (ca, port) = (authority(), free_port());
    let certificates = tempfile::tempdir().unwrap();
    let pem = wrote(certificates.path(), &ca);
    let edge = gateway(
        port,
        &[
            ("one.test", "mode: SIMPLE, credentialName: c, ecdhCurves: [P-384]"),
            ("two.test", "mode: SIMPLE, credentialName: c"),
        ],
    );
    let secret = Shown::of_names(&ca, &["one.test", "two.test"]);
    let _up = Up::start(&[
        ("services.yaml", reviews_at(&[service("v1"), service("v2")])),
        ("edge.yaml", edge),
        ("secrets.yaml", secret.secret("c", &ca)),
    ]);
    for (host, curve, taken) in [
        ("one.test", "P-384", true),
        ("one.test", "P-256", false),
        ("one.test", "X25519", false),
        ("two.test", "P-384", true),
        ("two.test", "P-256", true),
        ("two.test", "X25519", true),
    ] {
        let answer = curl(&pem, port, host, &["--curves", curve]);
        assert_eq!(answer.status.success(), taken, "{host} {curve} {answer:?}");
    }
}
