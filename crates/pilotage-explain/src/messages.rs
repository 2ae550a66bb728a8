//! Plain sentences: what becomes of a request that does not simply go upstream, and outcomes in a few words.

use crate::explain::Scene;
use crate::explanation::{Destination, Explanation, Failure, Outcome};
use crate::hosts::is_unknown;
use crate::words::percent;

/// An outcome in a few words: `v1 90 %, v2 10 %`, `301 to https://…`, `404`.
pub(crate) fn short(answer: &Explanation) -> String {
    match answer.outcome {
        Outcome::Forward => {
            let drawn = answer.clusters.iter().filter(|cluster| cluster.weight > 0);
            let texts: Vec<String> = drawn.map(|cluster| share(answer, cluster)).collect();
            texts.join(", ")
        }
        Outcome::Redirect => {
            let to = answer.location.as_deref().unwrap_or_default();
            format!("{} to {to}", answer.status.unwrap_or_default())
        }
        Outcome::DirectResponse => format!("answered with {}", answer.status.unwrap_or_default()),
        Outcome::None => match answer.status {
            Some(status) => format!("{status} {}", answer.flags).trim_end().to_owned(),
            None => "closed".to_owned(),
        },
    }
}

fn share(answer: &Explanation, cluster: &Destination) -> String {
    let mut text = format!("{} {}", name(answer, cluster), percent(cluster.share));
    if !cluster.flags.is_empty() && !lacks_endpoints(cluster) {
        text = format!("{text} ({})", cluster.flags);
    }
    text
}

/// Whether requests to a destination fail only because no endpoint of it is known, as in files that hold no Pods.
#[must_use]
pub fn lacks_endpoints(cluster: &Destination) -> bool {
    cluster.flags.split(',').any(|flag| flag == "UH") && cluster.endpoints.is_empty()
}

/// What to call a destination: its subset where that says enough, else its host.
#[must_use]
pub fn name(answer: &Explanation, cluster: &Destination) -> String {
    let own = |host: &str| answer.host.service.as_deref().is_none_or(|asked| asked == host);
    match (&cluster.subset, &cluster.host) {
        (Some(subset), Some(host)) if own(host) => subset.clone(),
        (Some(subset), Some(host)) => format!("{} {subset}", first_label(host)),
        (None, Some(host)) => host.clone(),
        _ => cluster.name.clone(),
    }
}

fn first_label(host: &str) -> &str {
    if host.contains(".svc.") { host.split('.').next().unwrap_or(host) } else { host }
}

/// The sentence for the operator; nothing when the request simply goes upstream.
pub(crate) fn sentence(scene: &Scene<'_>, answer: &Explanation) -> Option<String> {
    match answer.outcome {
        Outcome::None => Some(failed(scene, answer)),
        Outcome::Forward if is_unknown(answer) => Some(unknown(scene, answer)),
        Outcome::Forward => {
            // Endpoints that are merely not known come last.
            let (unknown, known): (Vec<&Destination>, Vec<_>) =
                answer.clusters.iter().partition(|cluster| lacks_endpoints(cluster));
            known.into_iter().chain(unknown).find_map(|cluster| broken(answer, cluster))
        }
        Outcome::DirectResponse if is_unknown(answer) => Some(unknown(scene, answer)),
        Outcome::DirectResponse => match answer.details.as_deref() {
            Some("cors_response") => Some("the CORS policy answers the preflight request".into()),
            Some("upgrade_failed") => Some("this upgrade is not allowed here".into()),
            _ => None,
        },
        Outcome::Redirect => None,
    }
}

fn failed(scene: &Scene<'_>, answer: &Explanation) -> String {
    let to = &answer.request.destination;
    match answer.error {
        Some(Failure::NoListener) => {
            let ports: Vec<String> = listening(scene).iter().map(u16::to_string).collect();
            let open = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
            format!("nothing listens at {to}: the connection is refused (ports with a listener: {open})")
        }
        Some(Failure::NoFilterChain) => {
            "no filter chain takes such a connection (server name, TLS or ALPN do not fit): it is closed"
                .to_owned()
        }
        Some(Failure::NoVirtualHost) => {
            let hint = nearest(answer);
            format!("no host of this port is called {}: 404{hint}", answer.host.asked)
        }
        Some(Failure::NoRoute) => {
            "no rule takes the request, and there is none for the rest: 404".to_owned()
        }
        Some(Failure::TlsRedirect) => {
            "the Gateway sends plain requests to https (tls.httpsRedirect)".to_owned()
        }
        Some(Failure::ProtocolError) => match answer.details.as_deref() {
            Some("http1.codec_error") if scene.question.request.has_unknown_method() => {
                let method = &answer.request.method;
                format!("HTTP/1 has no method {method}, and proxies refuse it before any rule is looked at")
            }
            Some("http1.codec_error") if answer.request.tls != "plaintext" => {
                "TLS that nobody ends here meets a port that speaks HTTP: the handshake fails".to_owned()
            }
            Some("http1.codec_error") => {
                "other bytes than HTTP meet a port that speaks HTTP, or plain text one with TLS".to_owned()
            }
            Some(details) => format!("the request is refused before routing: {details}"),
            None => "the request is refused before routing".to_owned(),
        },
        Some(Failure::MtlsError) => {
            "a client certificate is demanded and none is shown: the TLS handshake fails".to_owned()
        }
        None => String::new(),
    }
}

/// The ports that have listeners.
fn listening(scene: &Scene<'_>) -> std::collections::BTreeSet<u16> {
    let listeners = scene.tables().listeners();
    listeners
        .filter_map(|listener| match &listener.address {
            pilotage_engine::listener::ListenAddress::Socket(address) => Some(address.port()),
            pilotage_engine::listener::ListenAddress::Pipe(_) => None,
        })
        .collect()
}

/// What becomes of a request to a host, or a port of it, that nobody has.
fn unknown(scene: &Scene<'_>, answer: &Explanation) -> String {
    let host = &answer.host.asked;
    let port = scene.question.arrival.destination.port();
    let (why, hint) = if answer.host.service.is_none() {
        (format!("nobody in the mesh is called {host}"), nearest(answer))
    } else if answer.host.ports.contains(&port) {
        let what = if answer.request.protocol == "tcp" { "bytes" } else { "such a connection" };
        (format!("{host} does not take {what} on port {port}"), String::new())
    } else {
        let ports: Vec<String> = answer.host.ports.iter().map(u16::to_string).collect();
        (format!("{host} has no port {port} (it has {})", ports.join(", ")), String::new())
    };
    let blocked = answer.status.is_some()
        || answer.clusters.iter().any(|cluster| cluster.name == "BlackHoleCluster");
    if blocked {
        let status = answer.status.map_or_else(|| "closed".to_owned(), |status| status.to_string());
        format!("{why}, and only what is known may be called (REGISTRY_ONLY): {status}{hint}")
    } else {
        format!(
            "{why}: it passes through unchanged to the address that the client dialled (ALLOW_ANY){hint}"
        )
    }
}

fn nearest(answer: &Explanation) -> String {
    let nearest = answer.host.nearest.as_deref();
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Why requests to a destination fail.
fn broken(answer: &Explanation, cluster: &Destination) -> Option<String> {
    let has = |flag| cluster.flags.split(',').any(|known| known == flag);
    let host = cluster.host.as_deref().unwrap_or(&cluster.name);
    let rule = answer.rule.as_ref().map_or("", |rule| rule.field.as_str());
    let rule = if rule.is_empty() { "the route" } else { rule };
    let at = cluster.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    let status = cluster.status.map(|status| format!("{status} ")).unwrap_or_default();
    let share = if cluster.share < 100.0 {
        let what = if cluster.status.is_some() { "requests" } else { "connections" };
        format!(" for {} of the {what}", percent(cluster.share))
    } else {
        String::new()
    };
    if has("NC") {
        return Some(match &cluster.subset {
            Some(subset) => format!(
                "{status}NC cluster_not_found{share}: {rule} routes to subset \"{subset}\" of {host}, which no DestinationRule defines{at}"
            ),
            None => format!(
                "{status}NC cluster_not_found{share}: {rule} routes to {host}:{}, which is no service and port that this proxy sees{at}",
                cluster.port.unwrap_or_default()
            ),
        });
    }
    if has("UH") {
        let why = if cluster.endpoints.is_empty() {
            "has no endpoint"
        } else {
            "has no healthy endpoint"
        };
        let what = match &cluster.subset {
            Some(subset) => format!("subset \"{subset}\" of {host}"),
            None => host.to_owned(),
        };
        return Some(format!("{status}UH no_healthy_upstream{share}: {what} {why}{at}"));
    }
    if has("UO") {
        return Some(format!(
            "{status}UO overflow{share}: a circuit breaker of {host} is open{at}"
        ));
    }
    None
}
