//! Rules of sidecars that choose among subsets of a host, and that requests through a gateway do not meet, because the
//! gateway's rules go to the host as a whole (IST0140).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::Object;
use pilotage_config::virtual_service::{Destination, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, virtual_services};

/// One problem for each virtual service with gateways and each one whose subsets it goes past. Hosts are compared as
/// written, and `mesh` counts as a gateway, as in Istio.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let objects = context.objects();
    let mut choosing: BTreeMap<&str, Vec<(usize, &Object)>> = BTreeMap::new();
    for (position, (object, spec)) in virtual_services(objects).enumerate() {
        for host in hosts_with_subsets(spec) {
            choosing.entry(host).or_default().push((position, object));
        }
    }
    let mut problems = Vec::new();
    for (object, spec) in virtual_services(objects).filter(|(_, s)| !s.gateways.is_empty()) {
        let whole: BTreeSet<&str> = destinations(spec)
            .filter(|destination| destination.subset.is_empty())
            .map(|destination| destination.host.as_str())
            .collect();
        let mut passed: BTreeMap<usize, (&Object, &str)> = BTreeMap::new();
        for host in whole {
            for (position, other) in choosing.get(host).into_iter().flatten() {
                passed.entry(*position).or_insert((*other, host));
            }
        }
        problems.extend(passed.into_values().map(|(other, host)| problem(object, other, host)));
    }
    problems
}

fn destinations(spec: &VirtualService) -> impl Iterator<Item = &Destination> {
    spec.http.iter().flat_map(|rule| &rule.route).filter_map(|route| route.destination.as_ref())
}

/// The hosts of a virtual service that it sends to subsets of themselves.
fn hosts_with_subsets(spec: &VirtualService) -> BTreeSet<&str> {
    let subsets = destinations(spec).filter(|destination| !destination.subset.is_empty());
    let hosts = subsets.map(|destination| destination.host.as_str());
    hosts.filter(|host| spec.hosts.iter().any(|own| own == host)).collect()
}

fn problem(object: &Object, other: &Object, host: &str) -> Diagnostic {
    let message = format!(
        "requests through the gateways go to `{host}` as a whole, past the subsets that `{}/{}` \
         chooses among",
        other.namespace(),
        other.name()
    );
    let path = FieldPath::spec().field("gateways");
    object.diagnostic(codes::IST0140, &path, message, "rules of sidecars do not apply here").istio(
        format!(
            "Subset in virtual service {}/{} has no effect on ingress gateway {}/{} requests",
            other.namespace(),
            other.name(),
            object.namespace(),
            object.name()
        ),
    )
}
