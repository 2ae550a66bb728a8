//! The table of all diagnostic codes: the one source for messages, documentation and
//! `explain-code`.

use std::fmt;

use crate::diagnostic::Severity;

/// What is known about a code.
#[derive(Debug)]
pub struct CodeInfo {
    /// The stable code: `IST` and four digits where Istio has the same message, else `PIL`.
    pub id: &'static str,
    /// Its name in one word.
    pub name: &'static str,
    /// How bad it usually is.
    pub severity: Severity,
    /// What it means and what to do, in one paragraph.
    pub explanation: &'static str,
}

/// A diagnostic code. Equal when the ids are equal.
#[derive(Clone, Copy)]
pub struct Code(&'static CodeInfo);

impl Code {
    /// The stable id, for instance `IST0106`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// The name, for instance `SchemaValidationError`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How bad it usually is.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// What it means and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }

    /// The code with this id, in any letter case.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Code {}

impl std::hash::Hash for Code {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(other.0.id)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

/// Declares the codes: constants named by id, and the list of all of them in order.
macro_rules! codes {
    ($($id:ident $name:ident $severity:ident $explanation:literal)+) => {
        $(
            #[doc = concat!("`", stringify!($id), "` ", stringify!($name), ": ", $explanation)]
            pub const $id: Code = Code(&CodeInfo {
                id: stringify!($id),
                name: stringify!($name),
                severity: Severity::$severity,
                explanation: $explanation,
            });
        )+

        /// Every code, ordered as in the table.
        pub const ALL: &[Code] = &[$($id),+];
    };
}

codes! {
    IST0001 InternalError Error
        "A part of Pilotage failed in a way that no input should cause. Please report it with the input."
    IST0002 Deprecated Warning
        "A field or kind that Istio has given up is in use. It still works where the message does not \
         say otherwise; the message names its successor."
    IST0101 ReferencedResourceNotFound Error
        "An object names another one (a host, a subset, a gateway, a secret) that does not exist or \
         is not visible from here. Requests that need it fail. Correct the name, create the missing \
         object, or widen its exportTo."
    IST0102 NamespaceNotInjected Info
        "A namespace has no label that decides about sidecar injection, so its pods are outside of the \
         mesh unless they ask for a sidecar themselves."
    IST0106 SchemaValidationError Error
        "An object breaks a rule of its kind: an unknown field, a value of the wrong type, or a \
         combination that has no meaning. The object is not used; the last good version keeps serving."
    IST0107 MisplacedAnnotation Warning
        "An annotation stands on a kind of object that does not look at it."
    IST0108 UnknownAnnotation Warning
        "An annotation in Istio's namespaces is not one that Istio knows. Check the spelling."
    IST0109 ConflictingMeshGatewayVirtualServiceHosts Error
        "Several VirtualServices define routes of sidecars for one host. The oldest one wins as a whole \
         and the others have no effect for that host. Merge them into one object, or delegate."
    IST0110 ConflictingSidecarWorkloadSelectors Error
        "Two Sidecars of a namespace select the same workload. The oldest one wins."
    IST0111 MultipleSidecarsWithoutWorkloadSelectors Error
        "A namespace has more than one Sidecar without a selector. The oldest one wins."
    IST0112 VirtualServiceDestinationPortSelectorRequired Error
        "A route goes to a service with several ports and does not say which one. Set destination.port."
    IST0116 DeploymentAssociatedToMultipleServices Warning
        "One workload belongs to several services that use the same port with different protocols."
    IST0118 PortNameIsNotUnderNamingConvention Info
        "The protocol of a service port cannot be told from its appProtocol or name, so it is found out \
         from the first bytes of each connection. Name the port `http-…`, `tcp-…` and so on."
    IST0125 InvalidAnnotation Warning
        "The value of an annotation cannot be understood, and the annotation is ignored."
    IST0126 UnknownMeshNetworksServiceRegistry Error
        "MeshNetworks names a cluster that is not known."
    IST0127 NoMatchingWorkloadsFound Warning
        "The selector of a policy matches no workload."
    IST0128 NoServerCertificateVerificationDestinationLevel Warning
        "A DestinationRule starts TLS without saying which CA signs the server's certificate. Set \
         caCertificates."
    IST0129 NoServerCertificateVerificationPortLevel Warning
        "A port of a DestinationRule starts TLS without saying which CA signs the server's certificate. \
         Set caCertificates."
    IST0130 VirtualServiceUnreachableRule Warning
        "A rule can never be used, because earlier rules take every request that it matches. Move it up, \
         narrow the earlier rule, or remove it."
    IST0131 VirtualServiceIneffectiveMatch Info
        "A match block can never be used, because an earlier block takes every request that it matches."
    IST0132 VirtualServiceHostNotFoundInGateway Warning
        "A VirtualService is bound to a gateway none of whose servers accepts its hosts, so its routes \
         are not used there."
    IST0133 SchemaWarning Warning
        "An object is valid but holds something that has no effect or is rarely meant."
    IST0134 ServiceEntryAddressesRequired Warning
        "A ServiceEntry has a TCP port and no address, so its connections cannot be told from others on \
         that port."
    IST0135 DeprecatedAnnotation Info
        "An annotation that Istio has given up is in use."
    IST0136 AlphaAnnotation Info
        "An annotation that Istio may still change is in use."
    IST0137 DeploymentConflictingPorts Warning
        "Two services of one workload share a target port but use different ports."
    IST0138 GatewayDuplicateCertificate Warning
        "Two gateways use one certificate. A browser may reuse a connection for a host of the other \
         gateway and get 404. Put the hosts into one Gateway."
    IST0140 IngressRouteRulesNotAffected Warning
        "A route from a gateway goes to a host whose own rules choose among subsets. Requests through \
         the gateway skip these rules."
    IST0143 LocalhostListener Error
        "A service sends traffic to a port on which the application listens on the loopback address only."
    IST0145 ConflictingGateways Error
        "Two gateways for the same workload have a server with the same port and overlapping hosts."
    IST0149 JwtClaimBasedRoutingWithoutRequestAuthN Error
        "A route looks at a claim of a JWT, but no RequestAuthentication makes the gateway read tokens, \
         so it never matches."
    IST0150 ExternalNameServiceTypeInvalidPortName Warning
        "A port of an ExternalName service has no usable protocol name, so that it takes all traffic of \
         that port."
    IST0161 InvalidGatewayCredential Error
        "The secret of a gateway holds no valid certificate."
    IST0162 GatewayPortNotDefinedOnService Warning
        "A gateway opens a port that no service of the gateway's pods leads to."
    IST0165 ReferencedInternalGateway Warning
        "A VirtualService names a gateway that Istio generated for itself."
    IST0166 IneffectiveSelector Warning
        "The selector of a policy has no effect on a Kubernetes gateway."
    IST0167 IneffectivePolicy Warning
        "A policy has no effect on the workloads that it selects, for instance because they have no sidecar."
    IST0170 MultiClusterInconsistentService Warning
        "A service is defined differently in different clusters."
    IST0171 NegativeConditionStatus Warning
        "The status of an object says that it does not work."
    IST0173 DestinationRuleSubsetNotSelectPods Error
        "No workload has the labels of a subset, so that requests for it fail with 503."
    IST0174 UnknownDestinationRuleHost Warning
        "A DestinationRule is for a host that is not known, so it has no effect."
    IST0177 ConflictingServiceEntryProtocol Warning
        "Several ServiceEntries define one host and port with different protocols."

    PIL0001 BrokenYaml Error
        "The text is not well-formed YAML or JSON at the place shown. The document is not used; other \
         documents of the file are."
    PIL0002 TooLarge Error
        "A document is larger, more deeply nested or, through its aliases, more numerous in nodes than \
         any real configuration. It is refused so that it cannot exhaust the memory."
    PIL0003 NotText Error
        "The file is not UTF-8 text, so that it cannot be YAML. Perhaps it is compressed or encrypted."
    PIL0004 DuplicateKey Error
        "A key stands twice in one mapping. Only one of the two values can count, so the document is \
         not used until one of them is removed."
    PIL0005 NotAnObject Error
        "A document is not a Kubernetes object: it needs apiVersion, kind and metadata.name."
    PIL0006 UnsupportedVersion Error
        "The kind is known but not in this API version."
    PIL0007 AliasNotString Error
        "A value begins with `*`. YAML takes that for an alias, a reference to a value marked with `&` \
         elsewhere in the document; it is not a string. Host names such as *.example.com have to be \
         quoted."
    PIL0008 UnknownAlias Error
        "An alias refers to an anchor that does not exist in the document, or to itself."
    PIL0009 MisplacedField Error
        "The indentation puts a field at a place where it means nothing, while it is known elsewhere in \
         the object."
    PIL0010 NoEffect Warning
        "A field is part of the API but has no effect, on Istio as here. The object is used without it."
    PIL0011 UnsupportedKind Warning
        "An object is of a kind that changes traffic in Istio and that Pilotage does not carry out. \
         Traffic is as if the object did not exist. Take care with policies that deny requests."

    PIL0012 Unreadable Error
        "A file that was found in a folder cannot be opened or read. The other files are used."

    PIL0013 DuplicateObject Warning
        "Two objects have the same kind, namespace and name. The one that comes later, in the order of \
         file names and of the text, is used."
    PIL0014 NotCarriedOut Warning
        "A setting changes what proxies do on Istio, and Pilotage does not carry it out. Traffic is as if \
         it were not there."

    PIL0101 DelegateNotFound Warning
        "A rule hands its requests to a VirtualService that does not exist, is not exported to this \
         namespace, or has hosts of its own. The rule vanishes, and its requests fall to later rules."
    PIL0102 DelegateRuleDropped Warning
        "A rule of a delegate cannot be narrowed by the rule that delegates to it: their conditions \
         exclude each other, or one of them is a regular expression. The delegate's rule vanishes there."
    PIL0103 DestinationPortMissing Warning
        "A route names no port, and the service it goes to has only another one than the listener of \
         the request. Sidecars take the port of the listener, so that such requests fail with 503. Set \
         destination.port."

    PIL0201 BrokenBootstrap Error
        "An Envoy bootstrap file does not fit Envoy's messages, as far as they are known here. Fields that \
         are part of Envoy and not supported look the same. The proxy does not start."
    PIL0202 UnsupportedInBootstrap Error
        "An Envoy bootstrap file asks for something that this proxy does not do. The proxy does not start, \
         because traffic would not be what the file says."
    PIL0203 BrokenTestFile Error
        "A file of route tests does not fit its format: a field is unknown, a value cannot be, or something \
         that a test needs is missing. None of its tests run."
    PIL0204 BrokenRouteFile Error
        "The Envoy route configuration that tests are to run on does not fit Envoy's messages, or asks for \
         something that this proxy does not do, so that tests would say nothing about it."

    PIL0301 UnusedSubset Info
        "A DestinationRule defines subsets that no route names, while routes lead to the host. They cost a \
         cluster in every proxy, and may be left over from a rollout that is done."
    PIL0302 InactiveSubsetPolicy Warning
        "A subset has a policy of its own, and no route names the subset. Requests that go to the host as a \
         whole are not subject to it, whatever endpoint they reach."
    PIL0303 RuleNotLookedUp Warning
        "A DestinationRule is exported to namespaces that never look for it. Clients look in their own \
         namespace, in that of the service and in the root namespace, and nowhere else."
    PIL0304 ShadowedHost Warning
        "A VirtualService names a host that an older VirtualService for sidecars has. The oldest one counts \
         as a whole; rules are not merged."
    PIL0305 AlternativesNotConditions Warning
        "The items of a match list are alternatives: a request has to meet one of them. Here each item looks \
         at something else, which reads as if all had to be met."
    PIL0306 SiblingPrefix Warning
        "A prefix compares text, not segments of a path: `/api` also begins `/apiv2`. An earlier rule takes \
         requests that a later one is for."
    PIL0307 RewriteSlash Warning
        "A rewrite replaces a prefix by text that ends differently: with a slash where the prefix has none, \
         which doubles it, or the other way round, which glues two names together."
    PIL0308 FaultNeverHappens Warning
        "A fault without `percentage` applies to 0 % of the requests, and so never happens."
    PIL0309 MirrorsEverything Info
        "A mirror without a percentage copies every request, which doubles the load."
    PIL0310 NeverEjects Warning
        "Outlier detection takes an endpoint out only while that keeps the share of those taken out within \
         `maxEjectionPercent`, 10 by default. With so few endpoints a single one is more than that."
    PIL0311 RetriesRepeatRequests Info
        "A rule retries under conditions in which the server may have carried out the request, and does so for \
         methods such as POST that must not be repeated without thought."
    PIL0312 StickinessLost Warning
        "A rule splits requests between subsets of a host with consistent hashing. The subset is drawn anew for \
         each request, so that a client does not stay with one endpoint."
    PIL0313 NeverMatches Warning
        "A condition asks for something that no request has: a path that does not begin with a slash, a method \
         in lower case, or a scheme in upper case."
    PIL0314 SettingsNotMerged Warning
        "A DestinationRule for a host hides settings that a rule for a wildcard has for it. The most specific \
         rule is used as a whole, and nothing of the others is merged into it."
    PIL0315 RuleNeverReached Warning
        "Earlier rules together take every request that a rule, or one of its match blocks, is for. This is \
         proved for all requests, not found by comparing texts as IST0130 and IST0131 do."
    PIL0316 NothingForTheRest Warning
        "A VirtualService for a host has no rule for every request, and another one for a wildcard that covers \
         the host has. The host has its own rules only: what none of them is for gets 404."
    PIL0317 WildcardKeepsPorts Info
        "A ServiceEntry for a host names fewer ports than one for a wildcard that covers the host. On the other \
         ports requests for the host go where the wildcard leads."
    PIL0318 ConnectionOfWildcard Warning
        "A Gateway has TLS for a host, and another Gateway of the same pods for a wildcard that covers it. A \
         browser with a connection for the wildcard uses it for the host as well, and gets 404 where the rules \
         of the host are not bound to the wildcard's gateway."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_found_in_any_case() {
        let ids: Vec<_> = ALL.iter().map(|code| code.id()).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert_eq!(Code::find("ist0106"), Some(IST0106));
        assert_eq!(Code::find("IST9999"), None);
    }

    #[test]
    fn every_code_is_explained() {
        for code in ALL {
            assert!(code.explanation().len() > 40, "{code} needs an explanation");
            assert!(code.explanation().ends_with('.'), "{code} ends without a full stop");
        }
    }
}
