//! A row's request, put to the engine.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pilotage_engine::Severity;
use serde_json::Value;

use super::page::spans;
use super::past;
use crate::ours::Ours;
use crate::replay::{self, history};
use crate::vectors::{Asker, Exchange, Request};

/// Where names lead that nobody knows; a DNS proxy would make up such an address.
const UNKNOWN: [u8; 4] = [240, 240, 0, 1];

/// The distinct outcomes of the request in `cell` over so many `draws`, with the number that led to each: `from` says
/// who asks, `after` what happened before.
pub(super) fn outcomes(
    cell: &str,
    (from, after): (&str, &str),
    ours: &Ours,
    draws: u64,
) -> Result<Vec<(Value, u64)>, String> {
    let written = spans(cell);
    let [written] = &written[..] else {
        return Err("one request in one code span is expected".into());
    };
    let asker = asker(from)?;
    let (request, scheme_port) = request(written)?;
    let set = ours.resources(&asker);
    let events = past::parse(after)?;
    let (tables, rejections) =
        if events.is_empty() { replay::tables(&set) } else { history::enact(&set, &events) };
    if let Some(rejection) = rejections.iter().find(|r| r.severity == Severity::Rejected) {
        return Err(format!("the engine refuses what we compile: {rejection:?}"));
    }
    let (host, port) = address(&request, scheme_port);
    let ip = match asker.kind.as_str() {
        "gateway" => asker.ip.parse().map_err(|e| format!("{e}"))?,
        _ => host.parse().ok().or_else(|| tables.resolve(&host)).unwrap_or(IpAddr::from(UNKNOWN)),
    };
    let port = if asker.kind == "gateway" { target_port(port) } else { port };
    let exchange = Exchange {
        request,
        destination: SocketAddr::new(ip, port).to_string(),
        recorded: Value::Null,
    };
    Ok(replay::drawn(&tables, &asker, &exchange, draws))
}

/// Who asks: nothing for a sidecar in namespace `default`, `sidecar in NAMESPACE`, `gateway`, `sidecar at` a locality
/// in a code span, labels in code spans, or `sidecar of` a workload by its address in a code span: requests to that
/// address are those that arrive at it.
fn asker(from: &str) -> Result<Asker, String> {
    let locality = spans(from).into_iter().find(|span| !span.contains('='));
    let labels = spans(from).into_iter().filter_map(|label| {
        let (key, value) = label.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    });
    let mut labels: BTreeMap<String, String> = labels.collect();
    let words = from.split('`').next().unwrap_or_default().trim();
    let words = words.trim_end_matches("with").trim_end_matches(" at").trim();
    if words == "sidecar of" {
        let ip = locality.unwrap_or_default();
        return Ok(Asker {
            name: "workload".into(),
            kind: "sidecar".into(),
            namespace: "default".into(),
            ip,
            ..Asker::default()
        });
    }
    let sidecar = |namespace: &str, labels, locality| Asker {
        name: "client".into(),
        kind: "sidecar".into(),
        namespace: namespace.into(),
        labels,
        locality,
        ip: "10.1.9.9".into(),
        ..Asker::default()
    };
    match words {
        "" | "sidecar" => Ok(sidecar("default", labels, locality)),
        "gateway" => {
            labels.insert("istio".into(), "ingressgateway".into());
            Ok(Asker {
                name: "gateway".into(),
                kind: "gateway".into(),
                namespace: "istio-system".into(),
                labels,
                ip: "10.1.8.1".into(),
                ..Asker::default()
            })
        }
        other => match other.strip_prefix("sidecar in ") {
            Some(namespace) => Ok(sidecar(namespace, labels, locality)),
            None => Err(format!("`{other}`: who asks is `sidecar in NAMESPACE` or `gateway`")),
        },
    }
}

/// `METHOD URL [-H 'NAME: VALUE']…`, and the port that the scheme implies. The headers `SNI` and `ALPN` are none: they are
/// the server name and the protocol that the client asks for in TLS, where those are not what the URL implies.
fn request(written: &str) -> Result<(Request, u16), String> {
    let mut words = written.splitn(2, " -H ");
    let line = words.next().unwrap_or_default();
    let (method, url) = line.split_once(' ').unwrap_or(("GET", line));
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("`{url}` is no URL"))?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let mut headers = BTreeMap::new();
    for header in words.next().into_iter().flat_map(|rest| rest.split(" -H ")) {
        let header = header.trim_matches('\'');
        let (name, value) =
            header.split_once(':').ok_or_else(|| format!("`{header}` is no header"))?;
        headers.insert(name.to_owned(), value.trim().to_owned());
    }
    let host = headers.remove("Host").unwrap_or_else(|| authority.to_owned());
    let is_tls = scheme == "https";
    let named = headers
        .remove("SNI")
        .unwrap_or_else(|| authority.split(':').next().unwrap_or_default().to_owned());
    let alpn = headers.remove("ALPN").map(|protocol| vec![protocol]);
    let request = Request {
        host: Some(host),
        alpn,
        path: Some(path.to_owned()),
        method: Some(method.to_owned()),
        headers,
        protocol: matches!(scheme, "grpc" | "tcp").then(|| scheme.to_owned()),
        address: Some(authority.to_owned()),
        tls: is_tls.then(|| "tls".to_owned()),
        sni: is_tls.then_some(named),
        ..Request::default()
    };
    Ok((request, if is_tls { 443 } else { 80 }))
}

fn address(request: &Request, scheme_port: u16) -> (String, u16) {
    let authority = request.address.as_deref().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(scheme_port)),
        None => (authority.to_owned(), scheme_port),
    }
}

/// The port that the gateway's pod listens on for a port of its service.
fn target_port(port: u16) -> u16 {
    match port {
        80 => 8080,
        443 => 8443,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{address, asker, request};

    #[test]
    fn a_request_is_read() {
        let (found, port) = request("PUT https://a:8443/x?y=1 -H 'b: c' -H 'Host: d'").unwrap();
        assert_eq!(found.method.as_deref(), Some("PUT"));
        assert_eq!((found.host.as_deref(), found.path.as_deref()), (Some("d"), Some("/x?y=1")));
        assert_eq!(found.headers["b"], "c");
        assert_eq!(address(&found, port), ("a".into(), 8443));
        assert!(request("nonsense").is_err());
    }

    #[test]
    fn who_asks_is_read() {
        assert_eq!(asker("").unwrap().namespace, "default");
        assert_eq!(asker("sidecar in team-a").unwrap().namespace, "team-a");
        assert_eq!(asker("sidecar with `app=web`").unwrap().labels["app"], "web");
        assert_eq!(asker("sidecar at `r1/z1`").unwrap().locality.as_deref(), Some("r1/z1"));
        assert_eq!(asker("gateway").unwrap().kind, "gateway");
        assert!(asker("somebody").is_err());
    }
}
