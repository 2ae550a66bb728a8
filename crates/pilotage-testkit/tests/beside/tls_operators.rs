//! What headers and access logs tell of TLS, on both sides of the proxy, and `x-forwarded-client-cert`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use pilotage_testkit::wire::{Message, Reader};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use serde_json::{Value, json};

use super::pair::{LOG_FILE, Pair, Side, cluster, listener};

const OPERATORS: [&str; 29] = [
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_END(%Y/%m/%d)",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "REQUESTED_SERVER_NAME",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PEER_DNS_SAN",
    "UPSTREAM_PEER_CERT_V_START",
];

/// Other operators of access logs.
const OTHERS: [&str; 13] = [
    "REQ(:AUTHORITY):3",
    "REQ(X-NONE):3",
    "UPSTREAM_PROTOCOL",
    "PROTOCOL",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DYNAMIC_METADATA(a:b)",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "RESPONSE_CODE_DETAILS",
];

#[test]
fn tls_is_told_as_in_envoy() {
    let authority = Authority::new();
    let upstream = authority.upstream();
    let listeners = [
        authority.listener("told", true, "SANITIZE_SET"),
        authority.listener("appended", true, "APPEND_FORWARD"),
        authority.listener("optional", false, "SANITIZE_SET"),
    ];
    let clusters = [secured(cluster("up", &[upstream]), &authority)];
    let Some(pair) = Pair::start(&listeners, &clusters) else { return };
    let [theirs, ours] = pair.sides().map(|side| told(side, &authority));
    assert!(theirs["told"].len() > 40, "{theirs:#?}");
    for (listener, theirs) in &theirs {
        for (name, value) in theirs {
            assert_eq!(Some(value), ours[listener].get(name), "{listener} {name}: Envoy, we");
        }
        assert_eq!(theirs, &ours[listener]);
    }
}

/// By listener: headers of the request and of the answer, and what is logged, all by name.
fn told(side: &Side, authority: &Authority) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut told = BTreeMap::new();
    for (count, name) in ["told", "appended", "optional"].into_iter().enumerate() {
        let answer = authority.ask(side.listeners[name], name != "optional");
        assert_eq!(answer.status(), 200, "{} {answer:?}", side.name);
        let of_answer = answer.headers.iter().filter(|(name, _)| name.starts_with("x-a-"));
        let mut all: BTreeMap<String, String> = of_answer.cloned().collect();
        let seen: Value = serde_json::from_slice(&answer.body).unwrap();
        for header in seen.as_array().unwrap() {
            let name = header[0].as_str().unwrap().to_owned();
            if name.starts_with("x-r-") || name == "x-forwarded-client-cert" {
                all.insert(name, header[1].as_str().unwrap().to_owned());
            }
        }
        let log = side.log(count + 1);
        let logged = log[count].split('|').zip(OPERATORS.iter().chain(&OTHERS));
        all.extend(logged.map(|(value, name)| (format!("%{name}%"), value.to_owned())));
        told.insert(name.to_owned(), all);
    }
    told
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    server: (String, String),
    client: (String, String),
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "The authority, Ltd");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let server = sign(&issuer, "a.test", 77);
        let client = sign(&issuer, "client.test", 0x00c0_ffee);
        Self { issuer, server, client }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.issuer.pem().as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }

    /// A listener that wants a certificate, or takes one, and tells of it.
    fn listener(&self, name: &str, required: bool, forward: &str) -> Value {
        let header = |prefix: &str, operator: &&str| {
            let key = operator.split('(').next().unwrap().to_lowercase().replace('_', "-");
            let key = if operator.contains('(') { format!("{key}-as") } else { key };
            json!({"header": {"key": format!("{prefix}{key}"), "value": format!("%{operator}%")}})
        };
        let routes = json!([{
            "match": {"prefix": "/"},
            "route": {"cluster": "up"},
            "requestHeadersToAdd":
                OPERATORS.iter().map(|operator| header("x-r-", operator)).collect::<Vec<_>>(),
            "responseHeadersToAdd":
                OPERATORS.iter().map(|operator| header("x-a-", operator)).collect::<Vec<_>>(),
        }]);
        let operators = OPERATORS.iter().chain(&OTHERS).map(|operator| format!("%{operator}%"));
        let format = operators.collect::<Vec<_>>().join("|") + "\n";
        let mut listener = listener(
            name,
            routes,
            json!({
                "forwardClientCertDetails": forward,
                "setCurrentClientCertDetails":
                    {"subject": true, "cert": true, "chain": true, "dns": true, "uri": true},
                "accessLog": [{"name": "file", "typedConfig": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": LOG_FILE,
                    "logFormat": {"textFormatSource": {"inlineString": format}},
                }}],
            }),
        );
        listener["listenerFilters"] = json!([{"name": "tls", "typedConfig": {"@type":
            "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}]);
        listener["filterChains"][0]["transportSocket"] = json!({"name": "tls", "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "requireClientCertificate": required,
            "commonTlsContext": {
                "tlsCertificates": [{
                    "certificateChain": {"inlineString": self.server.0},
                    "privateKey": {"inlineString": self.server.1},
                }],
                "validationContext": {"trustedCa": {"inlineString": self.issuer.pem()}},
            },
        }});
        listener
    }

    /// An upstream with TLS that answers with the headers it got.
    fn upstream(&self) -> SocketAddr {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der(&self.server.0)], key(&self.server.1))
            .unwrap();
        let config = Arc::new(config);
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listening.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listening.incoming().flatten() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                std::thread::spawn(move || answer(StreamOwned::new(session, stream)));
            }
        });
        address
    }

    /// One request, with a client's certificate or without.
    fn ask(&self, address: SocketAddr, with_certificate: bool) -> Message {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = match with_certificate {
            true => builder
                .with_client_auth_cert(vec![der(&self.client.0)], key(&self.client.1))
                .unwrap(),
            false => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from("a.test").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(session, TcpStream::connect(address).unwrap());
        let claimed = "x-forwarded-client-cert: By=me;Hash=made-up\r\n";
        write!(stream, "GET / HTTP/1.1\r\nhost: a.test\r\n{claimed}\r\n").unwrap();
        Reader::new(stream).message(true).unwrap().unwrap()
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>) -> Option<()> {
    let mut reader = Reader::new(stream);
    while let Ok(Some(request)) = reader.message(false) {
        let body = json!(request.headers).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        reader.get_mut().write_all(head.as_bytes()).ok()?;
    }
    Some(())
}

/// A certificate with names of every kind, and its key.
fn sign(issuer: &Issuer<'_, KeyPair>, name: &str, serial: u64) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned(), format!("b.{name}")]).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2024, 2, 29);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Tests \"& more\", Ltd");
    let uri = |path: &str| SanType::URI(format!("spiffe://t/{path}/{name}").try_into().unwrap());
    params.subject_alt_names.extend([
        uri("one"),
        uri("two"),
        SanType::Rfc822Name(format!("me@{name}").try_into().unwrap()),
        SanType::IpAddress([192, 0, 2, 7].into()),
    ]);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// TLS towards the endpoints of `cluster`.
fn secured(mut cluster: Value, authority: &Authority) -> Value {
    cluster["transportSocket"] = json!({"name": "tls", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "a.test",
        "commonTlsContext": {
            "tlsParams": {
                "tlsMaximumProtocolVersion": "TLSv1_2",
                "cipherSuites": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
            },
            "validationContext": {"trustedCa": {"inlineString": authority.issuer.pem()}},
        },
    }});
    cluster
}
