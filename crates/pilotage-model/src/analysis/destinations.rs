//! Destinations that do not exist: hosts, ports and subsets that no object declares (IST0101), and services with
//! several ports where none is chosen (IST0112).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::{Destination, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::known_hosts::{KnownHosts, KnownPort};
use super::{Context, DOMAIN, virtual_services};

/// What is missing where a destination should stand: it names no host.
static NOWHERE: LazyLock<Destination> = LazyLock::new(Destination::default);

/// Hosts and ports that are not there, or not chosen.
pub(super) fn hosts(context: &Context<'_>) -> Vec<Diagnostic> {
    let all = virtual_services(context.objects());
    let destinations = all.flat_map(|(object, spec)| {
        places(spec).into_iter().map(move |place| Destined { object, place })
    });
    destinations.filter_map(|destination| destination.host_problem(&context.hosts)).collect()
}

/// Subsets that are not there.
pub(super) fn subsets(context: &Context<'_>) -> Vec<Diagnostic> {
    let known = known_subsets(context.objects());
    let all = virtual_services(context.objects());
    let destinations = all.flat_map(|(object, spec)| {
        places(spec).into_iter().map(move |place| Destined { object, place })
    });
    destinations.filter_map(|destination| destination.subset_problem(&known)).collect()
}

/// A destination and where it stands.
pub(super) struct Place<'a> {
    pub(super) destination: &'a Destination,
    path: FieldPath,
    is_mirror: bool,
}

/// All destinations of a virtual service.
pub(super) fn places<'a>(spec: &'a VirtualService) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    let mut add = |destination: Option<&'a Destination>, path, is_mirror| {
        let destination = destination.unwrap_or(&NOWHERE);
        places.push(Place { destination, path, is_mirror });
    };
    for (index, rule) in spec.http.iter().enumerate() {
        let rule_path = FieldPath::spec().field("http").index(index);
        for (index, route) in rule.route.iter().enumerate() {
            let path = rule_path.field("route").index(index).field("destination");
            add(route.destination.as_ref(), path, false);
        }
        if let Some(mirror) = &rule.mirror {
            add(Some(mirror), rule_path.field("mirror"), true);
        }
        for (index, mirror) in rule.mirrors.iter().enumerate() {
            let path = rule_path.field("mirrors").index(index).field("destination");
            add(mirror.destination.as_ref(), path, true);
        }
    }
    let tls = spec.tls.iter().map(|rule| &rule.route).enumerate().map(|rule| ("tls", rule));
    let tcp = spec.tcp.iter().map(|rule| &rule.route).enumerate().map(|rule| ("tcp", rule));
    for (field, (rule_index, routes)) in tls.chain(tcp) {
        for (index, route) in routes.iter().enumerate() {
            let path = FieldPath::spec().field(field).index(rule_index);
            let path = path.field("route").index(index).field("destination");
            add(route.destination.as_ref(), path, false);
        }
    }
    places
}

/// A destination of an object.
struct Destined<'a> {
    object: &'a Object,
    place: Place<'a>,
}

impl Destined<'_> {
    /// What is wrong with the host or its port.
    fn host_problem(&self, hosts: &KnownHosts) -> Option<Diagnostic> {
        let destination = self.place.destination;
        let host = &destination.host;
        let Some(ports) = hosts.ports(host, self.object.namespace()) else {
            let message = format!("no service that this object sees has the host `{host}`");
            let path = self.place.path.field("host");
            let what = if self.place.is_mirror { "mirror host" } else { "host" };
            let problem = self.missing(&path, message, "no such host", what, host);
            return Some(problem.help(self.host_help(host)));
        };
        match &destination.port {
            Some(port) if ports.iter().all(|known| known.number != port.number) => {
                let message = format!("`{host}` has no port {}", port.number);
                let path = self.place.path.field("port").field("number");
                let known = numbers(ports);
                let named = format!("{host}:{}", port.number);
                Some(
                    self.missing(&path, message, "no such port", "host:port", &named)
                        .note(format!("its ports: {known}")),
                )
            }
            None if ports.len() > 1 => Some(self.port_needed(host, ports)),
            _ => None,
        }
    }

    fn port_needed(&self, host: &str, ports: &[KnownPort]) -> Diagnostic {
        let known = numbers(ports);
        let message = format!("`{host}` has several ports ({known}), and the route names none");
        let code = codes::IST0112;
        self.object
            .value_diagnostic(code, &self.place.path, message, "which port?")
            .help("add `port: {number: …}`; without it the port of the client's request is taken")
            .istio(format!(
                "This VirtualService routes to a service {host:?} that exposes multiple ports [{}]. \
                 Specifying a port in the destination is required to disambiguate.",
                known.replace(", ", " ")
            ))
    }

    fn host_help(&self, host: &str) -> String {
        if host.contains('.') {
            return "a name with a dot is taken as it stands; write the full name, or declare the \
                    host in a ServiceEntry"
                .to_owned();
        }
        let namespace = self.object.namespace();
        format!(
            "a short name means `{host}.{namespace}.svc.{DOMAIN}`, in the object's own namespace"
        )
    }

    /// What is wrong with the subset.
    fn subset_problem(&self, subsets: &BTreeSet<(String, String, String)>) -> Option<Diagnostic> {
        let destination = self.place.destination;
        if destination.subset.is_empty() {
            return None;
        }
        let (namespace, name) = service_name(&destination.host, self.object.namespace());
        if subsets.contains(&(namespace, name, destination.subset.clone())) {
            return None;
        }
        let (host, subset) = (&destination.host, &destination.subset);
        let message = format!("no DestinationRule for `{host}` defines the subset `{subset}`");
        let path = self.place.path.field("subset");
        let (effect, what) = if self.place.is_mirror {
            ("copies of requests get lost", "mirror+subset in destinationrule")
        } else {
            ("requests for it are answered with 503", "host+subset in destinationrule")
        };
        let named = format!("{host}+{subset}");
        Some(self.missing(&path, message, "no such subset", what, &named).note(effect))
    }

    /// The problem that what a field names is not there: `what` and `named` are Istio's words for it.
    fn missing(
        &self,
        path: &FieldPath,
        message: String,
        label: &str,
        what: &str,
        named: &str,
    ) -> Diagnostic {
        self.object
            .value_diagnostic(codes::IST0101, path, message, label)
            .istio(format!("Referenced {what} not found: {named:?}"))
    }
}

fn numbers(ports: &[KnownPort]) -> String {
    ports.iter().map(|port| port.number.to_string()).collect::<Vec<_>>().join(", ")
}

/// The subsets of all destination rules: namespace and name of the host, name of the subset.
fn known_subsets(objects: &[&Object]) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for object in objects {
        let Kind::DestinationRule(rule) = &object.body else { continue };
        for subset in &rule.subsets {
            let (namespace, name) = service_name(&rule.host, object.namespace());
            found.insert((namespace, name, subset.name.clone()));
        }
    }
    found
}

/// Namespace and name of the Kubernetes service that a host means; other hosts keep their name, in the namespace of
/// the rule.
pub(super) fn service_name(host: &str, namespace: &str) -> (String, String) {
    let qualified = host
        .strip_suffix(DOMAIN)
        .and_then(|host| host.strip_suffix(".svc."))
        .and_then(|host| host.rsplit_once('.'));
    match qualified {
        Some((name, owner)) if !name.is_empty() && !owner.is_empty() => {
            (owner.to_owned(), name.to_owned())
        }
        _ => (namespace.to_owned(), host.to_owned()),
    }
}
