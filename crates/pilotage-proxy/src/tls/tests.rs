//! Both ends against each other, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::{Env, LiveState, Severity, Tables};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::listener::v3::Listener;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::Secret;
use pilotage_proto::json::from_value;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{TlsFacts, TlsStore, accept, connect};
use crate::config::ProxyConfig;
use crate::listeners::Sockets;
use crate::transport::Connection;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority.
fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name` and its key, as PEM.
fn certificate(authority: &Authority, name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Tests, Ltd");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let uri = format!("spiffe://cluster.local/ns/a/sa/{name}");
    params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn pair(name: &str, (chain, key): &(String, String)) -> Value {
    json!({"name": name, "tlsCertificate": {
        "certificateChain": {"inlineString": chain}, "privateKey": {"inlineString": key}}})
}

fn authorities(name: &str, authority: &Authority) -> Value {
    json!({"name": name, "validationContext": {"trustedCa": {"inlineString": authority.pem()}}})
}

/// A world of one listener and one cluster.
struct World {
    tables: Arc<ArcSwap<Tables>>,
    store: Arc<TlsStore>,
    resources: ResourceSet,
}

impl World {
    fn new(downstream: &Value, upstream: &Value, options: &Value, secrets: &[Value]) -> Self {
        let types = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
        let typed = |context: &Value, kind: &str| {
            let mut context = context.clone();
            context["@type"] = json!(format!("{types}.{kind}"));
            json!({"name": "tls", "typedConfig": context})
        };
        let listener = json!({
            "name": "gate",
            "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 443}},
            "filterChains": [{"transportSocket": typed(downstream, "DownstreamTlsContext")}],
        });
        let cluster = json!({
            "name": "there", "type": "STATIC",
            "transportSocket": typed(upstream, "UpstreamTlsContext"),
            "typedExtensionProtocolOptions": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "upstreamHttpProtocolOptions": options, "explicitHttpConfig": {"httpProtocolOptions": {}}}},
            "loadAssignment": {"clusterName": "there", "endpoints": [{"lbEndpoints": [{"endpoint": {
                "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 1}}}}]}]},
        });
        let listener: Listener = from_value(&listener).unwrap();
        let cluster: Cluster = from_value(&cluster).unwrap();
        let mut resources = ResourceSet::default();
        resources.listeners.insert("gate".to_owned(), Arc::new(listener));
        resources.clusters.insert("there".to_owned(), Arc::new(cluster));
        let tables = Arc::new(ArcSwap::new(Tables::empty()));
        let sockets = Sockets::of(&ProxyConfig::new());
        let store = Arc::new(TlsStore::new(Arc::clone(&tables), sockets));
        let mut world = Self { tables, store, resources };
        world.set_secrets(secrets);
        world
    }

    fn set_secrets(&mut self, secrets: &[Value]) {
        self.resources.secrets = secrets
            .iter()
            .map(|secret| {
                let secret: Secret = from_value(secret).unwrap();
                (secret.name.clone(), Arc::new(secret))
            })
            .collect();
        let (tables, rejections) =
            Tables::apply(&self.tables.load(), &self.resources, &LiveState::default());
        let refused = rejections.iter().find(|r| r.severity == Severity::Rejected);
        assert_eq!(refused, None);
        self.tables.store(tables);
    }

    /// Problems that are new.
    fn problems(&self) -> Vec<String> {
        self.store.check().iter().map(ToString::to_string).collect()
    }

    /// One connection for a request to `host`: what the server saw of the client, and what the client was told.
    async fn connect(&self, host: &str) -> (Result<TlsFacts, String>, Result<TlsFacts, String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tables = self.tables.load_full();
        let gate = Arc::clone(tables.listener("gate").unwrap());
        let tls = Arc::clone(gate.chains().next().unwrap().tls.as_ref().unwrap());
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            // A part of the hello was read before, as by an inspector.
            let mut first = BytesMut::with_capacity(16);
            socket.read_buf(&mut first).await.unwrap();
            let accepted = accept(&self.store, &tls, socket, first, None).await;
            let mut stream = accepted.map_err(|error| error.to_string())?;
            let mut byte = [0];
            // A client that does not trust us says so only now.
            stream.read_exact(&mut byte).await.map_err(|error| error.to_string())?;
            stream.write_all(&byte).await.unwrap();
            stream.flush().await.unwrap();
            Ok(stream.tls().unwrap().clone())
        };
        let client = async {
            let mut stream = self.dial(address, host).await?;
            stream.write_all(b"x").await.map_err(|error| error.to_string())?;
            stream.flush().await.map_err(|error| error.to_string())?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await.map_err(|error| error.to_string())?;
            Ok(stream.tls().unwrap().clone())
        };
        tokio::join!(server, client)
    }

    async fn dial(&self, address: SocketAddr, host: &str) -> Result<Connection, String> {
        let tables = self.tables.load_full();
        let cluster = tables.cluster("there").unwrap();
        let mut env =
            Env { now: Default::default(), unix_time: Default::default(), rng: &mut || 0 };
        let endpoint = cluster.pick(&PickContext::default(), &mut env).unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let tls = endpoint.tls.as_ref().unwrap();
        let settings = &cluster.settings;
        connect(&self.store, tls, settings, &endpoint, socket, Some(host), Some(false)).await
    }
}

fn simple() -> Value {
    json!({"commonTlsContext": {
        "tlsCertificateSdsSecretConfigs": [{"name": "kubernetes://web"}],
        "alpnProtocols": ["h2", "http/1.1"]}})
}

fn mutual(required: bool, conditions: &Value) -> Value {
    json!({"requireClientCertificate": required, "commonTlsContext": {
        "tlsCertificateSdsSecretConfigs": [{"name": "kubernetes://web"}],
        "combinedValidationContext": {
            "defaultValidationContext": conditions,
            "validationContextSdsSecretConfig": {"name": "kubernetes://web-cacert"}}}})
}

/// What a client trusts, and what it shows.
fn client(sni: &str, conditions: &Value, shows: bool) -> Value {
    let mut context = json!({"sni": sni, "commonTlsContext": {"combinedValidationContext": {
        "defaultValidationContext": conditions,
        "validationContextSdsSecretConfig": {"name": "kubernetes://there-cacert"}}}});
    if shows {
        context["commonTlsContext"]["tlsCertificateSdsSecretConfigs"] =
            json!([{"name": "kubernetes://there"}]);
    }
    context
}

#[tokio::test]
async fn a_simple_handshake_settles_on_name_version_and_protocol() {
    let ca = authority("ca");
    let web = pair("kubernetes://web", &certificate(&ca, "a.test"));
    let roots = authorities("kubernetes://there-cacert", &ca);
    let world =
        World::new(&simple(), &client("a.test", &json!({}), false), &json!({}), &[web, roots]);
    assert_eq!(world.problems(), [""; 0]);
    let (server, client) = world.connect("ignored.test").await;
    let server = server.unwrap();
    assert_eq!(server.server_name.as_deref(), Some("a.test"));
    assert_eq!(server.application_protocol.as_deref(), Some("http/1.1"));
    assert_eq!(
        (server.session.version, server.session.cipher),
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    );
    assert_eq!(server.session.peer, None);
    assert_eq!(server.session.local.uris, ["spiffe://cluster.local/ns/a/sa/a.test"]);
    let shown = client.unwrap().session.peer.clone().unwrap();
    assert_eq!(shown.subject, "CN=a.test,O=Tests\\, Ltd");
    assert_eq!(shown.dns_names, ["a.test"]);
}

#[tokio::test]
async fn a_client_certificate_is_checked_where_it_is_asked_for() {
    let (ca, other) = (authority("ca"), authority("other"));
    let web = pair("kubernetes://web", &certificate(&ca, "a.test"));
    let roots = authorities("kubernetes://web-cacert", &ca);
    let trusted = authorities("kubernetes://there-cacert", &ca);
    for (required, shown, accepted) in [
        (true, Some(&ca), true),
        (true, Some(&other), false),
        (true, None, false),
        (false, None, true),
        (false, Some(&ca), true),
        (false, Some(&other), false),
    ] {
        let mut secrets = vec![web.clone(), roots.clone(), trusted.clone()];
        secrets.extend(shown.map(|ca| pair("kubernetes://there", &certificate(ca, "client"))));
        let upstream = client("a.test", &json!({}), shown.is_some());
        let world = World::new(&mutual(required, &json!({})), &upstream, &json!({}), &secrets);
        let (server, client) = world.connect("a.test").await;
        assert_eq!((server.is_ok(), client.is_ok()), (accepted, accepted), "{server:?} {client:?}");
        if let Ok(server) = server {
            let peer = server.session.peer.as_deref();
            assert_eq!(peer.is_some(), shown.is_some());
            if let Some(peer) = peer {
                assert_eq!(peer.subject, "CN=client,O=Tests\\, Ltd");
                assert_eq!(peer.uris, ["spiffe://cluster.local/ns/a/sa/client"]);
                assert!(peer.pem.starts_with("-----BEGIN%20CERTIFICATE-----%0A"), "{}", peer.pem);
                assert_eq!(peer.sha256.len(), 64);
            }
        }
    }
}

#[tokio::test]
async fn names_and_hashes_of_the_upstream_are_checked() {
    let ca = authority("ca");
    let shown = certificate(&ca, "*.a.test");
    let der = super::pem::certificates(shown.0.as_bytes()).unwrap();
    let hash = data_encoding::HEXLOWER.encode(&super::facts::sha256(&der[0]));
    let web = pair("kubernetes://web", &shown);
    let roots = authorities("kubernetes://there-cacert", &ca);
    let host = json!({"autoSni": true, "autoSanValidation": true});
    for (sni, conditions, options, fits) in [
        ("x.test", json!({"matchSubjectAltNames": [{"exact": "b.a.test"}]}), json!({}), true),
        ("x.test", json!({"matchSubjectAltNames": [{"exact": "x.test"}]}), json!({}), false),
        ("x.test", json!({"verifyCertificateHash": [hash]}), json!({}), true),
        ("x.test", json!({"verifyCertificateHash": ["00".repeat(32)]}), json!({}), false),
        ("", json!({}), host.clone(), true),
    ] {
        let world = World::new(
            &simple(),
            &client(sni, &conditions, false),
            &options,
            &[web.clone(), roots.clone()],
        );
        let (server, client) = world.connect("www.a.test").await;
        assert_eq!(client.is_ok(), fits, "{sni} {conditions} {client:?}");
        let asked = if sni.is_empty() { "www.a.test" } else { sni };
        match client {
            Ok(_) => assert_eq!(server.unwrap().server_name.as_deref(), Some(asked)),
            Err(reason) => assert!(
                reason.starts_with(
                    "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:"
                ),
                "{reason}"
            ),
        }
    }
    let world = World::new(&simple(), &client("", &json!({}), false), &host, &[web, roots]);
    let other = world.connect("b.test").await.1.unwrap_err();
    let names = "verify_SAN_list,_expected_SANs:_[b.test],_certificate_SANs:_[*.a.test,_spiffe://cluster.local/ns/a/sa/*.a.test]";
    assert!(other.contains(names), "{other}");
    assert!(world.connect("127.0.0.1").await.1.is_err());
}

#[tokio::test]
async fn a_broken_certificate_is_reported_once_and_the_last_good_one_stays() {
    let ca = authority("ca");
    let (first, second) = (certificate(&ca, "a.test"), certificate(&ca, "a.test"));
    let roots = authorities("kubernetes://there-cacert", &ca);
    let upstream = client("a.test", &json!({}), false);
    let mut world = World::new(&simple(), &upstream, &json!({}), std::slice::from_ref(&roots));
    let absent = "listener gate: kubernetes://web: there is no such secret, or it lacks what is wanted of it: \
                  TLS handshakes fail";
    assert_eq!(world.problems(), [absent]);
    assert_eq!(world.problems(), [""; 0]);
    assert!(
        world.connect("a.test").await.0.unwrap_err().starts_with("kubernetes://web: there is no")
    );

    let serial = async |world: &World| {
        world.connect("a.test").await.1.unwrap().session.peer.clone().unwrap().serial
    };
    world.set_secrets(&[pair("kubernetes://web", &first), roots.clone()]);
    assert_eq!(world.problems(), [""; 0]);
    let before = serial(&world).await;

    let mismatched = (second.0.clone(), first.1.clone());
    world.set_secrets(&[pair("kubernetes://web", &mismatched), roots.clone()]);
    assert_eq!(
        world.problems(),
        [
            "listener gate: kubernetes://web: the key does not belong to the certificate: the last good one stays in use"
        ]
    );
    assert_eq!(serial(&world).await, before);

    world.set_secrets(&[pair("kubernetes://web", &second), roots]);
    assert_eq!(world.problems(), [""; 0]);
    assert_ne!(serial(&world).await, before);
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let ca = authority("ca");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |(chain, key): &(String, String)| {
        std::fs::write(path("tls.crt"), chain).unwrap();
        std::fs::write(path("tls.key"), key).unwrap();
    };
    std::fs::write(path("ca.crt"), ca.pem()).unwrap();
    let name = format!("file-cert:{}~{}", path("tls.crt"), path("tls.key"));
    let root = format!("file-root:{}", path("ca.crt"));
    let server = json!({"commonTlsContext": {"tlsCertificateSdsSecretConfigs": [{"name": name}]}});
    let upstream = json!({"sni": "a.test", "commonTlsContext": {
        "validationContextSdsSecretConfig": {"name": root}}});
    let world = World::new(&server, &upstream, &json!({}), &[]);
    assert!(world.problems()[0].contains("tls.crt: there is no such file: TLS handshakes fail"));
    write(&certificate(&ca, "a.test"));
    world.store.refresh_files();
    let first = world.connect("a.test").await.1.unwrap().session.peer.clone().unwrap();
    write(&certificate(&ca, "a.test"));
    world.store.refresh_files();
    let second = world.connect("a.test").await.1.unwrap().session.peer.clone().unwrap();
    assert_ne!(first.serial, second.serial);
    std::fs::write(path("tls.key"), "nothing").unwrap();
    world.store.refresh_files();
    assert_eq!(world.connect("a.test").await.1.unwrap().session.peer.clone().unwrap(), second);
}

#[tokio::test]
async fn without_a_common_protocol_a_client_is_served_nonetheless() {
    let ca = authority("ca");
    let web = pair("kubernetes://web", &certificate(&ca, "a.test"));
    let roots = authorities("kubernetes://there-cacert", &ca);
    let mut upstream = client("a.test", &json!({}), false);
    upstream["commonTlsContext"]["alpnProtocols"] = json!(["istio"]);
    let world = World::new(&simple(), &upstream, &json!({}), &[web, roots]);
    let (server, client) = world.connect("a.test").await;
    assert_eq!(server.unwrap().application_protocol, None);
    client.unwrap();
}

#[tokio::test]
async fn mutual_tls_of_the_mesh_says_what_it_needs() {
    let server =
        json!({"commonTlsContext": {"tlsCertificateSdsSecretConfigs": [{"name": "default"}]}});
    let upstream = json!({"commonTlsContext": {"tlsCertificateSdsSecretConfigs": [{"name": "default"}],
        "validationContextSdsSecretConfig": {"name": "ROOTCA"}}});
    let world = World::new(&server, &upstream, &json!({}), &[]);
    let problems = world.problems();
    assert!(
        problems.len() == 2 && problems.iter().all(|p| p.contains("identity of the workload")),
        "{problems:?}"
    );
    let (server, client) = world.connect("a.test").await;
    assert!(
        server.unwrap_err().contains("ISTIO_MUTUAL")
            && client.unwrap_err().contains("ISTIO_MUTUAL")
    );
}
