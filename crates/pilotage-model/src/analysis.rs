//! Problems that only several objects together show, under Istio's codes where the meaning is Istio's and under our own
//! where Istio says nothing.
//!
//! The analyzers look at objects as written, those that break a rule of their own included: a mistake in one object is
//! no reason to say nothing about the others.

pub mod analyzers;
mod annotations;
mod bypassed_subsets;
mod default_percentages;
mod delegates;
mod deployments;
mod destination_ports;
mod destination_rules;
mod destinations;
mod duplicates;
mod gateway_ports;
mod gateway_references;
mod gateway_secrets;
mod impossible_matches;
mod jwt_claims;
mod known_hosts;
mod kubernetes_gateways;
mod lookup_paths;
mod match_lists;
mod mesh_hosts;
mod namespaces;
mod outlier_detection;
mod port_names;
mod retries;
mod rewrites;
mod service_entries;
mod shadowed;
mod shared_gateways;
mod sibling_prefixes;
mod sidecar_tls;
mod sidecars;
mod sticky_subsets;
pub mod subsets;
pub mod suppression;
mod unused_subsets;
mod wildcard_overlaps;

use std::collections::BTreeSet;

use pilotage_config::object::{Kind, Object};
use pilotage_config::virtual_service::{HttpRoute, VirtualService};
use pilotage_config::{Diagnostic, FieldPath, Timestamp};

pub use self::analyzers::{ANALYZERS, Analyzer};
use self::duplicates::Duplicate;
use self::known_hosts::KnownHosts;
use crate::labels::Labelled;

/// The domain that short names are completed with. The analyzers do not look at the mesh's own.
const DOMAIN: &str = "cluster.local";
/// The namespace of objects for the whole mesh. The analyzers do not look at the mesh's own.
const ROOT_NAMESPACE: &str = "istio-system";
/// Namespaces of the system, which need no advice.
const SYSTEM_NAMESPACES: [&str; 5] =
    [ROOT_NAMESPACE, "kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
/// The scope of what everybody sees.
const EVERYBODY: &str = "*";

/// What analyzers look at.
#[derive(Debug)]
pub struct Context<'a> {
    objects: Vec<&'a Object>,
    duplicates: Vec<Duplicate<'a>>,
    now: Option<Timestamp>,
    hosts: KnownHosts,
    pods: Labelled<'a, &'a Object>,
}

impl<'a> Context<'a> {
    /// All of these objects; of several with one name the last. Without a time nothing is said about certificates that
    /// are too old or too new.
    #[must_use]
    pub fn new(objects: &[&'a Object], now: Option<Timestamp>) -> Self {
        let (objects, duplicates) = duplicates::split(objects);
        let hosts = KnownHosts::new(&objects);
        let pods = objects.iter().filter(|object| matches!(object.body, Kind::Pod(_)));
        let pods = Labelled::new(pods.map(|pod| (&pod.meta.labels, *pod)));
        Self { objects, duplicates, now, hosts, pods }
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> &[&'a Object] {
        &self.objects
    }
}

/// The problems of `objects` with each other, by analyzer and then in the order of the objects. What an object asks
/// not to be told is left out.
#[must_use]
pub fn analyze(objects: &[&Object]) -> Vec<Diagnostic> {
    let context = Context::new(objects, None);
    let mut problems: Vec<Diagnostic> =
        ANALYZERS.iter().flat_map(|analyzer| analyzer.run(&context)).collect();
    suppression::apply(objects, &mut problems);
    problems
}

/// The virtual services among objects.
fn virtual_services<'a>(
    objects: &'a [&'a Object],
) -> impl Iterator<Item = (&'a Object, &'a VirtualService)> {
    objects.iter().filter_map(|object| match &object.body {
        Kind::VirtualService(spec) => Some((*object, &**spec)),
        _ => None,
    })
}

/// A rule for HTTP requests and where it stands.
struct HttpRule<'a> {
    object: &'a Object,
    http: &'a HttpRoute,
    path: FieldPath,
}

/// All rules for HTTP requests.
fn http_rules<'a>(objects: &'a [&'a Object]) -> impl Iterator<Item = HttpRule<'a>> {
    virtual_services(objects).flat_map(|(object, spec)| {
        spec.http.iter().enumerate().map(move |(index, http)| {
            let path = FieldPath::spec().field("http").index(index);
            HttpRule { object, http, path }
        })
    })
}

/// The full name of a host as a rule of `namespace` means it.
fn full_name(host: &str, namespace: &str) -> String {
    if host.starts_with('*') || host.contains('.') {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.svc.{DOMAIN}")
    }
}

/// The scopes of an object of `namespace` with this `exportTo`: everybody, or the namespaces it names, each once.
fn scopes<'a>(
    export_to: impl Iterator<Item = &'a str> + Clone,
    namespace: &'a str,
) -> Vec<&'a str> {
    if export_to.clone().next().is_none() || export_to.clone().any(|entry| entry == EVERYBODY) {
        return vec![EVERYBODY];
    }
    let named: BTreeSet<&str> =
        export_to.map(|entry| if entry == "." { namespace } else { entry }).collect();
    named.into_iter().collect()
}

#[cfg(test)]
mod tests;
