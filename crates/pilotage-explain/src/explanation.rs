//! An explanation as data: what becomes of a request, and the line of YAML behind each part of it.
//!
//! This is the JSON that `pilotage explain -o json` prints, field by field; `docs/explain.md` describes it. Fields are
//! added without a new [`VERSION`]; a field that changes its meaning or goes away raises it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What becomes of one request, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// [`VERSION`].
    pub version: u32,
    /// The request.
    pub request: Asked,
    /// Who asks: the proxy whose configuration counts.
    pub proxy: Asker,
    /// What the host stands for.
    pub host: HostAnswer,
    /// The listener that takes the connection.
    pub listener: Option<String>,
    /// Its filter chain; may be a name that is empty.
    pub filter_chain: Option<String>,
    /// The route configuration that the chain reads.
    pub route_config: Option<String>,
    /// The virtual host of the request.
    pub virtual_host: Option<String>,
    /// The name of the route that takes it; nothing where no route does, or it has no name.
    pub route: Option<String>,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Why nothing becomes of it.
    pub error: Option<Failure>,
    /// The status that the proxy answers with; nothing where an upstream decides.
    pub status: Option<u16>,
    /// Envoy's response flags, with commas between; empty when all is well.
    pub flags: String,
    /// Envoy's response code details of an answer of the proxy.
    pub details: Option<String>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body of a direct response.
    pub body: Option<String>,
    /// One plain sentence where the request does not simply go upstream.
    pub message: Option<String>,
    /// The rule that takes the request.
    pub rule: Option<RuleName>,
    /// Where the request may go, in the order of the rule.
    pub clusters: Vec<Destination>,
    /// Each route that was tried, in order.
    pub trace: Vec<Tried>,
    /// Rules before the one that takes the request that are not there for this proxy, and so were not tried.
    #[serde(default)]
    pub absent: Vec<AbsentRule>,
    /// Other virtual services for this host, and why they do not count.
    pub rivals: Vec<Rival>,
    /// What else happens to the request, whatever the destination: fault, rewrite, headers, timeout, retries, mirrors.
    pub policies: Vec<Fact>,
    /// What would change the answer.
    pub alternatives: Vec<Alternative>,
    /// Things worth knowing.
    pub notes: Vec<String>,
}

/// The request that was asked about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Method.
    pub method: String,
    /// The URL as typed.
    pub url: String,
    /// `Host`, after a header of that name if there is one.
    pub authority: Option<String>,
    /// Path and query.
    pub path: String,
    /// Headers as given, by name.
    pub headers: BTreeMap<String, Vec<String>>,
    /// `http`, `http2` or `tcp`.
    pub protocol: String,
    /// `plaintext`, `tls` or `mtls`.
    pub tls: String,
    /// Server name of the TLS client hello.
    pub sni: Option<String>,
    /// `outbound` or `inbound`; for gateways `outbound`.
    pub mode: String,
    /// Where the connection arrives: `ip:port`.
    pub destination: String,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asker {
    /// `sidecar` or `gateway`.
    pub kind: String,
    /// Namespace of its workload.
    pub namespace: String,
    /// Labels of its workload.
    pub labels: BTreeMap<String, String>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// What a host stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostAnswer {
    /// As asked for, without port.
    pub asked: String,
    /// The service of that name, by its full host; nothing when no service that the proxy sees has it.
    pub service: Option<String>,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Where that service was written.
    pub place: Option<Place>,
    /// Where the virtual service was written whose rules count.
    pub rules: Option<Place>,
    /// The domain of the virtual host that fits.
    pub domain: Option<String>,
    /// The known host that is most like it, when nothing has this one.
    pub nearest: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It goes to a cluster, or would if the cluster had an endpoint to take it.
    Forward,
    /// The client is sent elsewhere.
    Redirect,
    /// The proxy answers.
    DirectResponse,
    /// Nothing: see [`Failure`].
    #[default]
    None,
}

/// Why nothing becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nothing listens at the destination.
    NoListener,
    /// The listener has no filter chain for such a connection.
    NoFilterChain,
    /// No virtual host has the host.
    NoVirtualHost,
    /// No route of the virtual host fits.
    NoRoute,
    /// The virtual host is for TLS only, and sends the client to https.
    TlsRedirect,
    /// What is sent is not what is expected: other bytes than HTTP, or a broken request.
    ProtocolError,
    /// A client certificate is demanded, and there is none.
    MtlsError,
}

/// A line of YAML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The object: `VirtualService default/reviews`.
    pub object: String,
    /// The field: `spec.http[0].timeout`; empty for the whole object.
    pub field: String,
    /// The file; nothing for objects that come from elsewhere.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// A rule of a virtual service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleName {
    /// Its number among the rules of the virtual service that has the host, from 1: that of the rule that delegates to
    /// it, if one does. 0 for routes that no rule stands behind.
    pub number: usize,
    /// `http[0]`, `tls[0]`, `tcp[0]`; empty for routes that no rule stands behind.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Where it was written.
    pub place: Option<Place>,
    /// The rule that delegated to it.
    pub via: Option<Place>,
}

/// A route that was tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// Its rule.
    pub rule: RuleName,
    /// Which of several `match` blocks of the rule it is for.
    pub block: Option<usize>,
    /// Whether it takes the request.
    pub matched: bool,
    /// Its conditions, in the order in which they are looked at.
    pub conditions: Vec<ConditionAnswer>,
}

/// A condition of a route, and what the request has there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionAnswer {
    /// `path`, `header`, `query`, `fraction`, `grpc` or `metadata`.
    pub kind: String,
    /// Name of the header or query parameter; `:method`, `:authority`, `:scheme` for those.
    pub name: String,
    /// What the rule wants.
    pub wanted: String,
    /// What the request has; nothing when it has nothing.
    pub got: Option<String>,
    /// Whether it holds.
    pub holds: bool,
    /// Where it was written; nothing for a condition that nobody wrote, such as any path.
    pub place: Option<Place>,
}

/// A rule that is not there for this proxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsentRule {
    /// The rule.
    pub rule: RuleName,
    /// Where it is there: `only for clients with app=web`.
    pub reason: String,
}

/// A virtual service for the same host that does not count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rival {
    /// Where it was written.
    pub place: Place,
    /// Its host that covers the one asked for.
    pub host: String,
    /// Why it does not count.
    pub reason: String,
}

/// Something that holds, and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// What it is about: `timeout`, `retries`, `balance`, …
    pub topic: String,
    /// In words.
    pub text: String,
    /// For programs; its form depends on the topic.
    pub value: Value,
    /// Where it was written.
    pub place: Option<Place>,
    /// Where it comes from when nobody wrote it: `Istio default`, `MeshConfig`, `request header …`.
    pub source: Option<String>,
}

/// A cluster that may get the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Name of the cluster.
    pub name: String,
    /// Its weight as the proxy has it; 1 for an only destination.
    pub weight: u64,
    /// Its share in percent.
    pub share: f64,
    /// Host of its service.
    pub host: Option<String>,
    /// Subset; nothing for the whole service.
    pub subset: Option<String>,
    /// Labels of the subset.
    pub labels: BTreeMap<String, String>,
    /// Port of the service.
    pub port: Option<u16>,
    /// Whether there is such a cluster.
    pub exists: bool,
    /// The status that requests to it get from the proxy; nothing where an upstream decides, or for connections.
    pub status: Option<u16>,
    /// Flags of requests or connections to it; none where all goes well.
    pub flags: String,
    /// The entry of the rule that sends requests there.
    pub place: Option<Place>,
    /// The destination rule, or the subset in it, that says how.
    pub policy: Option<Place>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointAnswer>,
    /// How it is reached: balancing, limits, outlier detection, TLS, changes to headers.
    pub facts: Vec<Fact>,
    /// The request as an endpoint of it gets it.
    pub upstream: Option<Upstream>,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointAnswer {
    /// `ip:port`, or a path.
    pub address: String,
    /// Its host name, where it has one.
    pub hostname: Option<String>,
    /// `healthy`, `degraded`, `unhealthy` or `ejected`.
    pub health: String,
    /// Why it is not healthy.
    pub reason: Option<String>,
    /// Its share of the requests to the cluster in percent, as far as priorities, localities and weights decide it.
    pub share: f64,
    /// `region/zone/subzone`.
    pub locality: Option<String>,
    /// 0 is used first.
    pub priority: u32,
}

/// A request on its way upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Path and query.
    pub path: String,
    /// `Host`.
    pub authority: String,
    /// Headers that differ from what the client sent: new value, or nothing for one that was removed.
    pub headers: BTreeMap<String, Option<String>>,
}

/// What would change the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// The change: ``without `end-user: jason` ``.
    pub change: String,
    /// The rule that takes the request then.
    pub rule: Option<RuleName>,
    /// What becomes of it then, in words.
    pub text: String,
}

impl std::fmt::Display for Place {
    /// `reviews.yaml:9`; for objects without a file the object itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}"),
            (Some(file), None) => f.write_str(file),
            (None, _) => f.write_str(&self.object),
        }
    }
}
