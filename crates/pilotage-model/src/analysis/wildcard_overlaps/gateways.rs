//! Servers with TLS for a host beside one for a wildcard of another Gateway (PIL0318): a client with a connection for the
//! wildcard uses it for the host as well, and does not find the host's rules there.

use std::collections::BTreeMap;

use pilotage_config::gateway::{Gateway, Server, ServerTlsMode};
use pilotage_config::object::Object;
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Wildcards;
use crate::analysis::shared_gateways::{Named, certificates_of, gateways};
use crate::analysis::{Context, virtual_services};
use crate::host::Host;
use crate::labels::selects;

/// A host of a server that ends TLS.
struct Naming<'a> {
    object: &'a Object,
    gateway: &'a Gateway,
    server: &'a Server,
    path: FieldPath,
    /// Without the namespace that it may be reserved for.
    host: &'a str,
    port: String,
}

/// Virtual services by the full name of the gateways that they name.
type Bound<'a> = BTreeMap<(&'a str, &'a str), Vec<(&'a Object, &'a VirtualService)>>;

/// One problem for each host whose rules are not at the wildcard's gateway.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let namings: Vec<Naming<'_>> = gateways(objects).into_iter().flat_map(namings).collect();
    let wildcards =
        Wildcards::new(namings.iter().map(|naming| (naming.port.as_str(), naming.host, naming)));
    let mut bound = Bound::new();
    for (object, spec) in virtual_services(objects) {
        for name in spec.gateways.iter().filter(|name| *name != "mesh") {
            let full = name.split_once('/').unwrap_or((object.namespace(), name));
            bound.entry(full).or_default().push((object, spec));
        }
    }
    let mut problems = Vec::new();
    for naming in &namings {
        let covering = wildcards.covering(&naming.port, naming.host);
        let found = covering.filter(|other| is_reused(naming, other)).find_map(|other| {
            let service = of_one_alone(naming, other, &bound)?;
            Some(problem(naming, other, service))
        });
        problems.extend(found);
    }
    problems
}

/// The hosts of servers where TLS of clients ends.
fn namings<'a>((object, gateway): Named<'a>) -> Vec<Naming<'a>> {
    let mut found = Vec::new();
    for (index, server) in gateway.servers.iter().enumerate() {
        let Some(port) = &server.port else { continue };
        let mode = server.tls.as_ref().map(|tls| tls.mode);
        let ends = matches!(
            mode,
            Some(ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual)
        );
        for (number, host) in server.hosts.iter().enumerate().filter(|_| ends) {
            let path = FieldPath::spec().field("servers").index(index).field("hosts").index(number);
            let host = host.split_once('/').map_or(host.as_str(), |(_, host)| host);
            let port = format!("{} {}", port.number, server.bind);
            found.push(Naming { object, gateway, server, path, host, port });
        }
    }
    found
}

/// Whether a connection to the server of the wildcard `wild` serves for `naming` as well: a certificate for a wildcard
/// is for one more label, and the same pods listen. One certificate in two gateways is told elsewhere.
fn is_reused(naming: &Naming<'_>, wild: &Naming<'_>) -> bool {
    let label = wild.host.strip_prefix('*').and_then(|suffix| naming.host.strip_suffix(suffix));
    let is_covered = wild.host.len() > 1
        && label.is_some_and(|label| !label.is_empty() && !label.contains(['.', '*']));
    let (mine, theirs) = (&naming.gateway.selector, &wild.gateway.selector);
    let shares = || {
        certificates_of(naming.server)
            .any(|one| certificates_of(wild.server).any(|other| one == other))
    };
    is_covered
        && !std::ptr::eq(naming.object, wild.object)
        && (selects(mine, theirs) || selects(theirs, mine))
        && !shares()
}

/// A virtual service for the host that is bound to its gateway and not to that of the wildcard.
fn of_one_alone<'a>(
    naming: &Naming<'_>,
    wild: &Naming<'_>,
    bound: &Bound<'a>,
) -> Option<&'a Object> {
    let host = Host::new(naming.host);
    let for_host = |gateway: &Object| -> Vec<&'a Object> {
        let all = bound.get(&(gateway.namespace(), gateway.name())).into_iter().flatten();
        let is_for_host =
            |spec: &VirtualService| spec.hosts.iter().any(|name| Host::new(name).matches(&host));
        all.filter(|(_, spec)| is_for_host(spec)).map(|(object, _)| *object).collect()
    };
    let there = for_host(wild.object);
    let mut here = for_host(naming.object).into_iter();
    here.find(|object| !there.iter().any(|other| std::ptr::eq(*other, *object)))
}

fn problem(naming: &Naming<'_>, wild: &Naming<'_>, service: &Object) -> Diagnostic {
    let message = format!(
        "browsers use connections to `{}` for `{}` as well, and do not find `{}/{}` there: 404",
        wild.host,
        naming.host,
        service.namespace(),
        service.name()
    );
    let label = "rules at this gateway only";
    let problem = naming
        .object
        .value_diagnostic(codes::PIL0318, &naming.path, message, label)
        .note(format!(
            "a certificate for `{}` is good for both, and a connection keeps the gateway that it began with",
            wild.host
        ))
        .help("name both gateways in the VirtualService, or put the servers into one Gateway");
    wild.object.also_value(problem, &wild.path, "covers that host")
}
