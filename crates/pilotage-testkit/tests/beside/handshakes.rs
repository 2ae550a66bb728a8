//! Which handshakes succeed: conditions on the certificates of clients, versions, ciphers and curves. The client is curl.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use pilotage_testkit::peers;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    PublicKeyData as _,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::pair::{Pair, listener};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key in files, and its hash and that of its key as the API wants them.
fn client(folder: &Path, name: &str, issuer: &Issuer<'static, KeyPair>) -> (String, String) {
    let params = CertificateParams::new(vec![format!("{name}.test")]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    std::fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    let hash = data_encoding::HEXLOWER.encode(digest(&SHA256, certificate.der()).as_ref());
    let spki = digest(&SHA256, &key.subject_public_key_info());
    (hash, data_encoding::BASE64.encode(spki.as_ref()))
}

/// A listener with TLS.
fn secured(name: &str, required: bool, common: &Value, server: (&str, &str)) -> Value {
    let routes = json!([{"match": {"prefix": "/"}, "directResponse": {"status": 200}}]);
    let mut listener = listener(name, routes, json!({}));
    let mut common = common.clone();
    common["tlsCertificates"] = json!([{
        "certificateChain": {"inlineString": server.0}, "privateKey": {"inlineString": server.1},
    }]);
    listener["filterChains"][0]["transportSocket"] = json!({"name": "tls", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "requireClientCertificate": required,
        "commonTlsContext": common,
    }});
    listener
}

/// The status that curl gets; `000` when the handshake fails.
fn status(address: SocketAddr, arguments: &[String]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--max-time", "20", "--noproxy", "*"])
        .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
        .args(arguments)
        .arg(format!("https://{address}/"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_same_handshakes_succeed_as_in_envoy() {
    if peers::require("envoy").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (authority(), authority());
    let (hash, spki) = client(folder.path(), "one", &ca);
    client(folder.path(), "two", &ca);
    client(folder.path(), "stranger", &other);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let (certificate, key) = (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem());
    let root = || json!({"inlineString": ca.pem()});
    let wrong = "00".repeat(32);
    let pairs: Vec<String> =
        hash.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
    let untrusted = "ACCEPT_UNTRUSTED";
    let validations = [
        ("ca", json!({"trustedCa": root()})),
        ("hash", json!({"trustedCa": root(), "verifyCertificateHash": [hash]})),
        ("colons", json!({"trustedCa": root(), "verifyCertificateHash": [pairs.join(":")]})),
        ("wrong", json!({"trustedCa": root(), "verifyCertificateHash": [wrong]})),
        ("hashes", json!({"trustedCa": root(), "verifyCertificateHash": [wrong, hash]})),
        ("spki", json!({"trustedCa": root(), "verifyCertificateSpki": [spki]})),
        (
            "either",
            json!({"trustedCa": root(), "verifyCertificateHash": [wrong], "verifyCertificateSpki": [spki]}),
        ),
        ("name", json!({"trustedCa": root(), "matchSubjectAltNames": [{"exact": "one.test"}]})),
        (
            "any-name",
            json!({
                "trustedCa": root(),
                "trustChainVerification": untrusted,
                "matchSubjectAltNames": [{"exact": "one.test"}],
            }),
        ),
        ("no-ca", json!({"verifyCertificateHash": [hash]})),
        ("any", json!({"trustedCa": root(), "trustChainVerification": untrusted})),
        (
            "any-hash",
            json!({"trustedCa": root(), "trustChainVerification": untrusted, "verifyCertificateHash": [hash]}),
        ),
    ];
    let cipher = "ECDHE-ECDSA-AES256-GCM-SHA384";
    let parameters = [
        ("p256", json!({"ecdhCurves": ["P-256"]})),
        ("x25519", json!({"ecdhCurves": ["X25519"]})),
        ("two-curves", json!({"ecdhCurves": ["P-384", "X25519"]})),
        ("old", json!({"tlsMaximumProtocolVersion": "TLSv1_2"})),
        (
            "modern",
            json!({"tlsMinimumProtocolVersion": "TLSv1_3", "tlsMaximumProtocolVersion": "TLSv1_3"}),
        ),
        ("cipher", json!({"tlsMaximumProtocolVersion": "TLSv1_2", "cipherSuites": [cipher]})),
        ("any-version", json!({"tlsMaximumProtocolVersion": "TLSv1_3", "cipherSuites": [cipher]})),
    ];
    let mut offers: Vec<Vec<String>> = Vec::new();
    for version in ["1.2", "1.3"] {
        for curve in ["X25519", "P-256", "P-384", "P-256:X25519"] {
            offers.push(["--curves", curve, "--tls-max", version].map(str::to_owned).to_vec());
        }
        for cipher in [cipher, "ECDHE-ECDSA-AES128-GCM-SHA256"] {
            offers.push(["--ciphers", cipher, "--tls-max", version].map(str::to_owned).to_vec());
        }
    }
    offers.push(vec!["--tlsv1.3".to_owned()]);
    let (mut listeners, mut asked) = (Vec::new(), Vec::new());
    for (name, validation) in &validations {
        for required in [true, false] {
            let name = format!("{name}-{required}");
            let common = json!({"validationContext": validation});
            listeners.push(secured(&name, required, &common, (&certificate, &key)));
            for shown in [None, Some("one"), Some("two"), Some("stranger")] {
                let file = |shown: &str, kind: &str| {
                    folder.path().join(format!("{shown}.{kind}")).display().to_string()
                };
                let arguments = shown.map(|shown| {
                    vec![
                        "--cert".to_owned(),
                        file(shown, "crt"),
                        "--key".to_owned(),
                        file(shown, "key"),
                    ]
                });
                asked.push((name.clone(), arguments.unwrap_or_default()));
            }
        }
    }
    for (name, parameters) in &parameters {
        let common = json!({"tlsParams": parameters});
        listeners.push(secured(name, false, &common, (&certificate, &key)));
        // Where nothing is said of curves, we speak one more.
        let offers = offers.iter().filter(|offer| {
            parameters.get("ecdhCurves").is_some() || !offer.contains(&"P-384".to_owned())
        });
        asked.extend(offers.map(|offer| ((*name).to_owned(), offer.clone())));
    }
    let Some(pair) = Pair::start(&listeners, &[]) else { return };
    let (mut succeeded, mut unlike) = (0, Vec::new());
    for (name, arguments) in &asked {
        let [theirs, ours] = pair.sides().map(|side| status(side.listeners[name], arguments));
        if theirs != ours {
            unlike.push(format!("{name} {arguments:?}: Envoy {theirs}, we {ours}"));
        }
        succeeded += usize::from(ours == "200");
    }
    assert!(unlike.is_empty(), "{unlike:#?}");
    println!("{succeeded} of {} handshakes succeed", asked.len());
    assert!(succeeded > 30 && succeeded < asked.len() - 30, "{succeeded} of {}", asked.len());
}
