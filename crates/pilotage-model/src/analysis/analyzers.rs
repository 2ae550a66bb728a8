//! The list of all analyzers that look at several objects, by name.
//!
//! Names with a dot are those of Istio's analyzers, which report the same. Names that begin with `pilotage.` are our own.

use std::fmt;

use pilotage_config::{Code, Diagnostic, codes};

use super::{
    Context, annotations, bypassed_subsets, default_percentages, delegates, deployments,
    destination_ports, destination_rules, destinations, duplicates, gateway_ports,
    gateway_references, gateway_secrets, impossible_matches, jwt_claims, kubernetes_gateways,
    lookup_paths, match_lists, mesh_hosts, namespaces, outlier_detection, port_names, retries,
    rewrites, service_entries, shadowed, shared_gateways, sibling_prefixes, sidecar_tls, sidecars,
    sticky_subsets, subsets, unused_subsets, wildcard_overlaps,
};

/// One way to look at all objects.
#[derive(Clone, Copy)]
pub struct Analyzer {
    /// Its name, for flags.
    pub name: &'static str,
    /// What it looks for, in one sentence.
    pub description: &'static str,
    /// The codes of what it reports.
    pub codes: &'static [Code],
    run: fn(&Context<'_>) -> Vec<Diagnostic>,
}

impl Analyzer {
    /// The problems that it finds.
    #[must_use]
    pub fn run(&self, context: &Context<'_>) -> Vec<Diagnostic> {
        (self.run)(context)
    }
}

impl fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares analyzers: name, description, function, codes.
macro_rules! analyzers {
    ($($name:literal $description:literal $run:expr, [$($code:ident),+];)+) => {
        /// All analyzers, in the order in which they report.
        pub const ANALYZERS: &[Analyzer] = &[$(
            Analyzer {
                name: $name,
                description: $description,
                codes: &[$(codes::$code),+],
                run: $run,
            }
        ),+];
    };
}

analyzers! {
    "pilotage.DuplicateObjectAnalyzer"
        "Checks that no object is defined twice"
        duplicates::analyze, [PIL0013];
    "virtualservice.DestinationHostAnalyzer"
        "Checks that destinations of VirtualServices are known hosts and ports"
        destinations::hosts, [IST0101, IST0112];
    "virtualservice.DestinationRuleAnalyzer"
        "Checks that the subsets that VirtualServices name are defined"
        destinations::subsets, [IST0101];
    "pilotage.DestinationPortAnalyzer"
        "Checks that routes of sidecars find a port where they lead to"
        destination_ports::analyze, [PIL0103];
    "pilotage.DelegateAnalyzer"
        "Checks that delegation leads somewhere"
        delegates::analyze, [PIL0101, PIL0102];
    "virtualservice.IngressRouteAnalyzer"
        "Checks that routes of gateways do not go past subsets that sidecars choose among"
        bypassed_subsets::analyze, [IST0140];
    "virtualservice.ConflictingMeshGatewayHostsAnalyzer"
        "Checks that VirtualServices for sidecars do not share hosts"
        mesh_hosts::analyze, [IST0109];
    "virtualservice.GatewayAnalyzer"
        "Checks that the gateways of VirtualServices exist and take their hosts"
        gateway_references::analyze, [IST0101, IST0132, IST0165];
    "virtualservice.JWTClaimRouteAnalyzer"
        "Checks that gateways read tokens where rules look at claims"
        jwt_claims::analyze, [IST0149];
    "destinationrule.PodNotSelectedAnalyzer"
        "Checks that hosts of DestinationRules are known and their subsets select pods"
        pods_of_rules, [IST0173, IST0174];
    "destinationrule.CaCertificateAnalyzer"
        "Checks that DestinationRules with TLS say who signs the server's certificate"
        destination_rules::unchecked_certificates, [IST0128, IST0129];
    "gateway.SecretAnalyzer"
        "Checks that gateways select pods and find usable certificates"
        gateway_secrets::analyze, [IST0101, IST0161];
    "sidecar.SelectorAnalyzer"
        "Checks that selectors of Sidecars select pods, each pod once"
        selecting_sidecars, [IST0101, IST0110, IST0167];
    "sidecar.DefaultSelectorAnalyzer"
        "Checks that a namespace has one Sidecar without selector"
        sidecars::of_namespaces, [IST0111];
    "pilotage.SidecarTlsAnalyzer"
        "Finds TLS of Sidecars on ports that take mTLS of the mesh instead"
        sidecar_tls::analyze, [PIL0010];
    "k8sgateway.SelectorAnalyzer"
        "Checks that RequestAuthentications do not select pods of the Gateway API's gateways"
        kubernetes_gateways::analyze, [IST0166];
    "gateway.IngressGatewayPortAnalyzer"
        "Checks that services lead to the ports of gateways"
        gateway_ports::analyze, [IST0162];
    "service.PortNameAnalyzer"
        "Checks that ports of services say what they speak"
        port_names::analyze, [IST0118, IST0150];
    "annotations.K8sAnalyzer"
        "Checks that annotations are known, in their place and sound"
        annotations::analyze, [IST0107, IST0108, IST0125, IST0135];
    "deployment.MultiServiceAnalyzer"
        "Checks that the services of a deployment agree about its ports"
        deployments::analyze, [IST0116, IST0137];
    "injection.Analyzer"
        "Checks that namespaces say whether their pods get sidecars"
        namespaces::analyze, [IST0102];
    "serviceentry.ProtocolAddressesAnalyzer"
        "Checks that ServiceEntries have addresses where connections name no host"
        service_entries::addresses, [IST0134];
    "serviceentry.ConflictingProtocolAnalyzer"
        "Checks that ServiceEntries agree about the protocol of a host and port"
        service_entries::conflicting_protocols, [IST0177];
    "gateway.CertificateAnalyzer"
        "Checks that gateways do not share certificates"
        shared_gateways::certificates, [IST0138];
    "gateway.ConflictingGatewayAnalyzer"
        "Checks that gateways of the same pods do not share hosts and ports"
        shared_gateways::conflicts, [IST0145];
    "pilotage.UnusedSubsetAnalyzer"
        "Finds subsets and policies of subsets that no route uses"
        unused_subsets::analyze, [PIL0301, PIL0302];
    "pilotage.LookupPathAnalyzer"
        "Finds DestinationRules that no client looks up"
        lookup_paths::analyze, [PIL0303];
    "pilotage.ShadowedHostAnalyzer"
        "Finds hosts of VirtualServices that older ones have"
        shadowed::analyze, [PIL0304];
    "pilotage.MatchListAnalyzer"
        "Finds lists of matches that read like one condition"
        match_lists::analyze, [PIL0305];
    "pilotage.SiblingPrefixAnalyzer"
        "Finds prefixes that take requests for paths beside theirs from later rules"
        sibling_prefixes::analyze, [PIL0306];
    "pilotage.RewriteAnalyzer"
        "Finds rewrites that double or lose a slash"
        rewrites::analyze, [PIL0307];
    "pilotage.DefaultPercentageAnalyzer"
        "Finds faults that never happen and mirrors that copy everything for want of a percentage"
        default_percentages::analyze, [PIL0308, PIL0309];
    "pilotage.OutlierDetectionAnalyzer"
        "Finds outlier detection that has too few endpoints to eject any"
        outlier_detection::analyze, [PIL0310];
    "pilotage.RetryAnalyzer"
        "Finds retries that repeat requests which must not be repeated"
        retries::analyze, [PIL0311];
    "pilotage.StickySubsetAnalyzer"
        "Finds consistent hashing that a split between subsets undoes"
        sticky_subsets::analyze, [PIL0312];
    "pilotage.ImpossibleMatchAnalyzer"
        "Finds conditions that no request meets"
        impossible_matches::analyze, [PIL0313];
    "pilotage.WildcardOverlapAnalyzer"
        "Finds objects for a host that hide too much of those for a wildcard, or too little"
        wildcard_overlaps::analyze, [PIL0314, PIL0316, PIL0317, PIL0318];
}

fn pods_of_rules(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = destination_rules::unknown_hosts(context);
    problems.extend(subsets::analyze(context));
    problems
}

fn selecting_sidecars(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = sidecars::selecting(context);
    problems.extend(sidecars::of_ambient_namespaces(context));
    problems
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ANALYZERS;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = ANALYZERS.iter().map(|analyzer| analyzer.name).collect();
        assert_eq!(names.len(), ANALYZERS.len());
    }
}
