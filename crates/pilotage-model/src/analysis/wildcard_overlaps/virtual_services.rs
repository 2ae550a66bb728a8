//! VirtualServices for a host that have no rule for the rest (PIL0316): what none of their rules is for does not go on to
//! the rules for a wildcard.

use pilotage_config::object::Object;
use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Wildcards;
use crate::analysis::{Context, EVERYBODY, full_name, scopes, virtual_services};
use crate::virtual_service::GatewayRef;

/// A host of a virtual service at one gateway, or at the sidecars.
struct Naming<'a> {
    object: &'a Object,
    spec: &'a VirtualService,
    gateway: GatewayRef,
    host: usize,
    name: String,
    is_for_the_rest: bool,
}

/// One problem for each host, whatever number of gateways it is at.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let namings: Vec<Naming<'_>> = virtual_services(context.objects())
        .flat_map(|(object, spec)| namings(object, spec))
        .collect();
    let wildcards = Wildcards::new(
        namings
            .iter()
            .filter(|naming| naming.is_for_the_rest)
            .map(|naming| (naming.gateway.as_str(), &naming.name, naming)),
    );
    let mut problems = Vec::new();
    let mut last = None;
    for naming in namings.iter().filter(|naming| !naming.is_for_the_rest) {
        let place = (naming.object.reference(), naming.host);
        if last.as_ref() == Some(&place) {
            continue;
        }
        let mut covering = wildcards.covering(naming.gateway.as_str(), &naming.name);
        let is_other = |other: &&&Naming<'_>| {
            !std::ptr::eq(other.object, naming.object) && are_seen_together(naming, other)
        };
        if let Some(other) = covering.find(is_other) {
            problems.push(problem(naming, other));
            last = Some(place);
        }
    }
    problems
}

/// All hosts at all gateways at which there are rules, by host.
fn namings<'a>(object: &'a Object, spec: &'a VirtualService) -> Vec<Naming<'a>> {
    let mesh = [GatewayRef::MESH.to_owned()];
    let gateways = if spec.gateways.is_empty() { mesh.as_slice() } else { &spec.gateways };
    let mut found = Vec::new();
    for (host, name) in spec.hosts.iter().enumerate() {
        for gateway in gateways {
            let Some(is_for_the_rest) = is_for_the_rest(spec, gateway) else { continue };
            found.push(Naming {
                object,
                spec,
                gateway: GatewayRef::parse(gateway, object.namespace()),
                host,
                name: full_name(name, object.namespace()).to_ascii_lowercase(),
                is_for_the_rest,
            });
        }
    }
    found
}

/// Whether there is a rule for any request; nothing where there is no rule at the gateway.
fn is_for_the_rest(spec: &VirtualService, gateway: &str) -> Option<bool> {
    let is_there = |block: &HttpMatchRequest| {
        block.gateways.is_empty() || block.gateways.iter().any(|name| name == gateway)
    };
    let mut here = spec
        .http
        .iter()
        .filter(|rule| rule.match_.is_empty() || rule.match_.iter().any(is_there))
        .peekable();
    here.peek()?;
    Some(here.any(|rule| {
        rule.match_.is_empty()
            || rule.match_.iter().any(|block| is_there(block) && takes_all(block))
    }))
}

/// Whether a block asks nothing of requests. A port does not count: others may have blocks of their own.
fn takes_all(block: &HttpMatchRequest) -> bool {
    let any = |text: &Option<StringMatch>| match text {
        None | Some(StringMatch::Unset) => true,
        Some(StringMatch::Prefix(prefix)) => prefix == "/" || prefix.is_empty(),
        Some(StringMatch::Regex(regex)) => [".*", "/.*", ".+"].contains(&regex.as_str()),
        Some(StringMatch::Exact(_)) => false,
    };
    any(&block.uri)
        && any(&block.scheme)
        && any(&block.method)
        && any(&block.authority)
        && block.headers.is_empty()
        && block.without_headers.is_empty()
        && block.query_params.is_empty()
        && block.source_labels.is_empty()
        && block.source_namespace.is_empty()
}

/// Whether some client sees both.
fn are_seen_together(one: &Naming<'_>, other: &Naming<'_>) -> bool {
    let [mine, theirs] = [one, other].map(|naming| {
        let export_to = naming.spec.export_to.iter().map(String::as_str);
        scopes(export_to, naming.object.namespace())
    });
    mine == [EVERYBODY] || theirs == [EVERYBODY] || mine.iter().any(|one| theirs.contains(one))
}

fn problem(naming: &Naming<'_>, other: &Naming<'_>) -> Diagnostic {
    let path = |naming: &Naming<'_>| FieldPath::spec().field("hosts").index(naming.host);
    let written = |naming: &Naming<'_>| {
        naming.spec.hosts.get(naming.host).map_or(naming.name.as_str(), String::as_str).to_owned()
    };
    let wild = written(other);
    let message = format!(
        "what no rule here is for gets 404: `{}` has no use of the rules for `{wild}` in `{}/{}`",
        written(naming),
        other.object.namespace(),
        other.object.name()
    );
    let problem = naming
        .object
        .value_diagnostic(codes::PIL0316, &path(naming), message, "these rules count alone")
        .help(format!("end with a rule without `match` that does what is done for `{wild}`"));
    other.object.also_value(problem, &path(other), "not used for that host")
}
