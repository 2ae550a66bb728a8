//! What a real istiod compiled, rejected and reported for several hundred configurations, and what a real Envoy did
//! with the result.
//!
//! The cases were recorded once, with software that the tests do not need to have. They live in `vectors/`, one packed
//! file per area ([`format`](self)), and are read with [`area`]. `examples/pack-oracle.rs` packs them from the recording
//! ([`oracle`]); `examples/show-case.rs` prints one as text.

mod describe;
mod format;
pub mod oracle;
mod parts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facets::{Message, Verdict};

/// The areas, each with what its cases are about.
pub const AREAS: [(&str, &str); 8] = [
    ("vsm", "VirtualService hosts, matches, actions, delegates"),
    ("vsp", "VirtualService policies, tcp and tls routes"),
    ("gw", "Gateway"),
    ("dr", "DestinationRule and mesh defaults"),
    ("se", "ServiceEntry and WorkloadEntry"),
    ("sc", "services, protocols, Sidecar, inbound"),
    ("real", "whole scenarios"),
    ("rand", "random configurations over small alphabets, so that rules overlap"),
];

/// One configuration, and what Istio and Envoy said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// Its name, which begins with its area.
    pub name: String,
    /// What it pins down.
    pub title: String,
    /// Names of the fixtures in use, each a text of [`fixture`].
    pub fixtures: Vec<String>,
    /// `MeshConfig`, laid over Istio's defaults.
    pub mesh: Option<Value>,
    /// The objects under test, as YAML.
    pub input: String,
    /// Who asks.
    pub proxies: Vec<Asker>,
    /// Per Istio object: accepted or rejected.
    pub verdicts: Vec<Verdict>,
    /// What the analyzers said.
    pub messages: Vec<Message>,
    /// Requests and what became of them.
    pub exchanges: Vec<Exchange>,
    /// By name of the asker: the listeners, routes, clusters and endpoints that istiod sends, as protobuf-JSON. Its
    /// telemetry is left out.
    pub resources: BTreeMap<String, Value>,
}

/// A proxy that is given resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// How the case calls it.
    pub name: String,
    /// `sidecar` or `gateway`.
    #[serde(default = "sidecar", skip_serializing_if = "is_sidecar")]
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its address.
    pub ip: String,
    /// Its locality, `region/zone/subzone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// Its service account.
    #[serde(default, rename = "serviceAccount", skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// `NONE` or `TPROXY`, where traffic is not redirected.
    #[serde(default, rename = "interceptionMode", skip_serializing_if = "Option::is_none")]
    pub interception_mode: Option<String>,
    /// `1` where the proxy itself says that it takes HTTP/1.0, `0` where it says the contrary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http10: Option<String>,
}

fn sidecar() -> String {
    "sidecar".into()
}

fn is_sidecar(kind: &String) -> bool {
    kind == "sidecar"
}

/// A request, and what Envoy did with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What was sent.
    pub request: Request,
    /// The address that the client connected to, `ip:port`.
    pub destination: String,
    /// Everything recorded: `outcomes`, `mirrored`, `envoy_rejected`, `may_lack_rare` and so on.
    pub recorded: Value,
}

impl Exchange {
    /// The distinct outcomes.
    #[must_use]
    pub fn outcomes(&self) -> &[Value] {
        self.recorded.get("outcomes").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The distinct outcomes after the routes that Envoy refused were taken out; none where it refused nothing.
    #[must_use]
    pub fn outcomes_without_rejected(&self) -> &[Value] {
        let found = self.recorded.pointer("/without_rejected_routes/outcomes");
        found.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// A request as the case gives it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Name of the asker that sends it or that it is sent to.
    pub proxy: String,
    /// `Host`, or nothing for raw TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Port that the client connects to.
    pub port: u16,
    /// What it tells apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Path with query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Method; `GET` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Headers to send.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Address to connect to, when it is not the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `http`, `http2`, `grpc` or `tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `tls`, `mtls` or `plaintext`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Server name in the TLS hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Protocols offered in the TLS hello, where they are not those of `protocol`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<Vec<String>>,
    /// `https` where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

impl Case {
    /// The area that the case belongs to.
    #[must_use]
    pub fn area(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    /// All configuration of the case as files: the nodes, its fixtures, its own objects. The names are those that
    /// recorded messages refer to.
    #[must_use]
    pub fn files(&self) -> Vec<(String, &str)> {
        let fixtures = std::iter::once("nodes").chain(self.fixtures.iter().map(String::as_str));
        let mut files: Vec<_> =
            fixtures.map(|name| (format!("{name}.yaml"), fixture(name))).collect();
        files.push(("input.yaml".into(), &self.input));
        files
    }
}

/// The cases of one area, by name; with those of the recording that are not in the repository, where it is present.
///
/// # Panics
/// When the packed file is missing or damaged: the tests cannot go on without it.
#[must_use]
pub fn area(name: &str) -> Vec<Case> {
    let path = directory().join(format!("{name}.gz"));
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases = format::read(&packed).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if let Some(recording) = oracle::recording() {
        cases.extend(oracle::foreign(&recording, name));
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The case called `name`, if there is one.
#[must_use]
pub fn case(name: &str) -> Option<Case> {
    area(name.split('-').next()?).into_iter().find(|case| case.name == name)
}

/// Writes the cases of one area to its packed file; returns the file's size.
///
/// # Errors
/// When the file cannot be written.
pub fn write_area(name: &str, cases: &[Case]) -> std::io::Result<u64> {
    std::fs::create_dir_all(directory())?;
    let packed = format::write(cases)?;
    std::fs::write(directory().join(format!("{name}.gz")), &packed)?;
    Ok(packed.len() as u64)
}

/// The folder of the packed files and of the figures that are held.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Configuration that several cases share.
///
/// # Panics
/// When there is no fixture of that name.
#[must_use]
pub fn fixture(name: &str) -> &'static str {
    match name {
        "nodes" => include_str!("../vectors/fixtures/nodes.yaml"),
        "gateways" => include_str!("../vectors/fixtures/gateways.yaml"),
        "reviews" => include_str!("../vectors/fixtures/reviews.yaml"),
        "shop" => include_str!("../vectors/fixtures/shop.yaml"),
        other => panic!("no fixture is called {other}"),
    }
}

#[cfg(test)]
mod tests;
