//! Virtual services whose rules for a host sidecars never obey, because another object has it first (PIL0304). IST0109
//! says of both that they share the host; this says which one loses.

use std::collections::BTreeMap;

use pilotage_config::object::Object;
use pilotage_config::virtual_service::VirtualService;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::{Context, EVERYBODY, full_name, scopes, virtual_services};
use crate::age::Age;

/// A virtual service for sidecars and where a host stands in it.
struct Naming<'a> {
    object: &'a Object,
    scopes: Vec<&'a str>,
    host: usize,
}

impl Naming<'_> {
    /// Which comes first for those who see both: what is private to a namespace, what is exported to it by name, what
    /// is for all.
    fn rank(&self) -> u8 {
        match self.scopes.as_slice() {
            [EVERYBODY] => 2,
            [only] if *only == self.object.namespace() => 0,
            _ => 1,
        }
    }

    fn is_for_all(&self) -> bool {
        self.scopes.contains(&EVERYBODY)
    }

    /// Whether all who see `other` see this one too.
    fn is_seen_wherever(&self, other: &Self) -> bool {
        self.is_for_all()
            || !other.is_for_all() && other.scopes.iter().all(|scope| self.scopes.contains(scope))
    }
}

/// One problem for each host that another object has first.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut by_host: BTreeMap<String, Vec<Naming<'_>>> = BTreeMap::new();
    for (object, spec) in virtual_services(context.objects()) {
        if !has_rules_for_sidecars(spec) {
            continue;
        }
        for (host, name) in spec.hosts.iter().enumerate() {
            let scopes = scopes(spec.export_to.iter().map(String::as_str), object.namespace());
            let name = full_name(name, object.namespace()).to_ascii_lowercase();
            by_host.entry(name).or_default().push(Naming { object, scopes, host });
        }
    }
    let mut problems = Vec::new();
    for (host, namings) in &mut by_host {
        namings.sort_by_key(|naming| {
            let Naming { object, .. } = naming;
            let age = Age::new(object.meta.creation_timestamp);
            (naming.rank(), age, object.name(), object.namespace())
        });
        for (index, loser) in namings.iter().enumerate() {
            let mut winners = namings.iter().take(index).filter(|winner| {
                !std::ptr::eq(winner.object, loser.object) && winner.is_seen_wherever(loser)
            });
            problems.extend(winners.next().map(|winner| problem(host, loser, winner)));
        }
    }
    problems
}

/// Whether some HTTP rule holds at sidecars. Rules of other kinds are combined, and do not compete.
fn has_rules_for_sidecars(spec: &VirtualService) -> bool {
    let is_mesh = |gateways: &[String]| gateways.is_empty() || gateways.iter().any(|g| g == "mesh");
    is_mesh(&spec.gateways)
        && spec.http.iter().any(|rule| {
            rule.match_.is_empty() || rule.match_.iter().any(|block| is_mesh(&block.gateways))
        })
}

fn problem(host: &str, loser: &Naming<'_>, winner: &Naming<'_>) -> Diagnostic {
    let message = format!(
        "sidecars never use these rules for `{host}`: `{}/{}` comes first and has the host",
        winner.object.namespace(),
        winner.object.name()
    );
    let path = |naming: &Naming<'_>| FieldPath::spec().field("hosts").index(naming.host);
    let mut problem = loser
        .object
        .value_diagnostic(codes::PIL0304, &path(loser), message, "taken")
        .help("put the rules into one VirtualService, or let the other one delegate to this one");
    problem = problem.note(
        "first comes what is exported to one namespace only, then what is exported to namespaces by name, then the \
         rest; in each group the oldest object, those without creationTimestamp last, and then the order of names",
    );
    winner.object.also_value(problem, &path(winner), "this one counts")
}
