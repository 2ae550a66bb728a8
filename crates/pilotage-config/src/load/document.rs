//! From one document to its object or objects.

use std::sync::Arc;

use super::envelope::{self, Envelope};
use super::{LoadOptions, Loaded};
use crate::codes;
use crate::decode::{Decode, Decoder, UnknownFields};
use crate::diagnostic::{Diagnostic, ObjectRef, Severity};
use crate::kubernetes::{ConfigMap, Secret};
use crate::metadata::Metadata;
use crate::object::{Kind, KindName, Object, ServiceEntryObject, Source};
use crate::schema::Shape;
use crate::service_entry::{ServiceEntry, ServiceEntryStatus};
use crate::span::FieldSpan;
use crate::yaml::{Document, Entry, Node, NodeKind, shorten};

/// Kinds that change traffic in Istio and that we do not carry out, and what follows from that.
pub(crate) const UNSUPPORTED: [(&str, &str, &str); 10] = [
    ("networking.istio.io", "EnvoyFilter", "the proxy is not patched"),
    ("extensions.istio.io", "WasmPlugin", "no plugin runs"),
    ("telemetry.istio.io", "Telemetry", "logs, metrics and traces stay as they are"),
    ("security.istio.io", "AuthorizationPolicy", "requests that it would deny are let through"),
    ("networking.k8s.io", "Ingress", "no gateway serves its rules"),
    ("gateway.networking.k8s.io", "Gateway", "no gateway serves it"),
    ("gateway.networking.k8s.io", "HTTPRoute", "its rules are not used"),
    ("gateway.networking.k8s.io", "GRPCRoute", "its rules are not used"),
    ("gateway.networking.k8s.io", "TLSRoute", "its rules are not used"),
    ("gateway.networking.k8s.io", "TCPRoute", "its rules are not used"),
];

/// Loads a document, which is an object, a list of objects, or nothing.
pub(super) fn load(
    source: &Arc<str>,
    document: Document,
    options: &LoadOptions,
    loaded: &mut Loaded,
) {
    let Document { index, node, whole } = document;
    let place = Source { file: Arc::clone(source), document: index, item: None, span: node.span };
    let (usable, told) = (loaded.objects.len(), loaded.diagnostics.len());
    load_node(&node, place, options, loaded);
    if whole {
        loaded.check(usable);
    } else {
        drop_consequences(loaded, told);
        let broken = loaded.objects.split_off(usable);
        loaded.broken.extend(broken);
    }
}

/// Drops the problems after the first `told` ones with values that had a problem before.
fn drop_consequences(loaded: &mut Loaded, told: usize) {
    let later = loaded.diagnostics.split_off(told.min(loaded.diagnostics.len()));
    let span = |problem: &Diagnostic| problem.primary.as_ref().map(|label| label.span);
    let is_new = |problem: &Diagnostic| {
        let Some(place) = span(problem) else { return true };
        let recent = loaded.diagnostics.iter().rev().take(100).filter_map(span);
        !recent.into_iter().any(|other| (place.start..place.end).contains(&other.start))
    };
    let later: Vec<_> = later.into_iter().filter(is_new).collect();
    loaded.diagnostics.extend(later);
}

fn load_node(node: &Node, place: Source, options: &LoadOptions, loaded: &mut Loaded) {
    if node.is_null() {
        return;
    }
    let Some(head) = Head::read(node, &place, loaded) else { return };
    if let Some(items) = head.items(node) {
        for (number, item) in items.iter().enumerate() {
            let place = Source { item: Some(number), span: item.span, ..place.clone() };
            load_node(item, place, options, loaded);
        }
        return;
    }
    if let Some(kind) = head.kind(&place, loaded) {
        load_object(node, kind, &head, place, options, loaded);
    }
}

/// What says which kind an object is of.
struct Head<'a> {
    api_version: &'a Entry,
    kind: &'a Entry,
    api_version_text: &'a str,
    kind_text: &'a str,
}

impl<'a> Head<'a> {
    fn read(node: &'a Node, place: &Source, loaded: &mut Loaded) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            loaded.diagnostics.push(
                Diagnostic::new(
                    codes::PIL0005,
                    format!("a Kubernetes object is a mapping, and this is {}", node.describe()),
                )
                .at(
                    &place.file,
                    node.span,
                    "expected apiVersion, kind, metadata, spec",
                ),
            );
            return None;
        };
        let text = |name| {
            node.entry(name).and_then(|entry| entry.value.as_str().map(|text| (entry, text)))
        };
        match (text("apiVersion"), text("kind")) {
            (Some((api_version, api_version_text)), Some((kind, kind_text))) => {
                Some(Self { api_version, kind, api_version_text, kind_text })
            }
            (api_version, kind) => {
                let missing = match (api_version, kind) {
                    (None, None) => "apiVersion and kind",
                    (None, Some(_)) => "apiVersion",
                    _ => "kind",
                };
                let span = entries.first().map_or(node.span, |entry| entry.key_span);
                // Settings of other tools lie about in many folders; a forgotten head does not.
                let known = |entry: &Entry| {
                    matches!(&*entry.key, "apiVersion" | "kind" | "metadata" | "spec")
                };
                let severity = if entries.iter().any(known) {
                    codes::PIL0005.severity()
                } else {
                    Severity::Warning
                };
                loaded.diagnostics.push(
                    Diagnostic::new(
                        codes::PIL0005,
                        format!("this is not a Kubernetes object: it has no {missing}"),
                    )
                    .with_severity(severity)
                    .at(&place.file, span, "the document begins here")
                    .help("an object of Istio begins with apiVersion: networking.istio.io/v1"),
                );
                None
            }
        }
    }

    /// The items of a list of objects.
    fn items(&self, node: &'a Node) -> Option<&'a [Node]> {
        if !self.kind_text.ends_with("List") {
            return None;
        }
        match &node.get("items")?.kind {
            NodeKind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The kind, if it is one of ours.
    fn kind(&self, place: &Source, loaded: &mut Loaded) -> Option<KindName> {
        let (group, version) =
            self.api_version_text.split_once('/').unwrap_or(("", self.api_version_text));
        let known = KindName::find(self.kind_text).filter(|kind| kind.group() == group);
        let Some(kind) = known else {
            self.pass_over(group, place, loaded);
            return None;
        };
        if kind.versions().contains(&version) {
            return Some(kind);
        }
        let version = kind.versions().first().copied().unwrap_or("v1");
        loaded.diagnostics.push(
            Diagnostic::new(
                codes::PIL0006,
                format!("there is no {kind} in `{}`", shorten(self.api_version_text)),
            )
            .at(
                &place.file,
                self.api_version.value.span,
                format!("use {}", join(group, version)),
            ),
        );
        None
    }

    /// Counts an object of another kind, or says what is wrong with that: it may be a slip of the
    /// finger, or something that is missed.
    fn pass_over(&self, group: &str, place: &Source, loaded: &mut Loaded) {
        let unsupported =
            UNSUPPORTED.iter().find(|(other, kind, _)| *other == group && *kind == self.kind_text);
        if let Some((_, kind, consequence)) = unsupported {
            loaded.diagnostics.push(
                Diagnostic::new(
                    codes::PIL0011,
                    format!("objects of kind {kind} are not supported: {consequence}"),
                )
                .at(&place.file, self.kind.value.span, "has no effect"),
            );
        }
        let ours = matches!(group, "networking.istio.io" | "security.istio.io");
        if !ours || unsupported.is_some() {
            loaded.passed_over.add(self.kind_text);
            return;
        }
        let kinds = KindName::ALL.iter().filter(|kind| kind.group() == group);
        let nearest = crate::decode::nearest(self.kind_text, kinds.map(|kind| kind.as_str()));
        let label = match nearest {
            Some(name) => format!("did you mean `{name}`?"),
            None => "no such kind".to_owned(),
        };
        loaded.diagnostics.push(
            Diagnostic::new(
                codes::PIL0006,
                format!("there is no kind `{}` in {group}", shorten(self.kind_text)),
            )
            .at(&place.file, self.kind.value.span, label),
        );
    }
}

fn join(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Reads an object of a known kind.
fn load_object(
    node: &Node,
    kind: KindName,
    head: &Head<'_>,
    place: Source,
    options: &LoadOptions,
    loaded: &mut Loaded,
) {
    if kind == KindName::ConfigMap && ConfigMap::read(node).is_none() {
        loaded.passed_over.add(head.kind_text);
        return;
    }
    let policy = if kind.is_istio() {
        UnknownFields::Report(options.unknown_fields)
    } else {
        UnknownFields::Skip
    };
    let mut decoder = Decoder::new(&place.file, policy, root_shape(kind));
    if kind == KindName::Secret {
        decoder.keep_secret();
    }
    let start = FieldSpan { key: head.kind.key_span, value: node.span };
    decoder.note_place(start);
    let (mut meta, body) = read_body(node, kind, &mut decoder);
    if meta.namespace.is_none() && kind.is_namespaced() {
        meta.namespace = Some(options.default_namespace.clone());
    }
    if meta.name.is_empty() {
        let problem = Diagnostic::new(codes::PIL0005, format!("this {kind} has no name")).at(
            &place.file,
            node.entry("metadata").map_or(head.kind.key_span, |entry| entry.key_span),
            "set metadata.name",
        );
        decoder.report(problem);
    }
    let failed = decoder.failed();
    let reference = ObjectRef {
        kind: kind.as_str().into(),
        namespace: meta.namespace.as_deref().unwrap_or("").into(),
        name: meta.name.as_str().into(),
    };
    let (spans, problems) = decoder.finish(Some(&reference));
    loaded.diagnostics.extend(problems);
    let object = Object {
        meta,
        api_version: head.api_version_text.to_owned(),
        kind,
        body,
        source: place,
        spans: Arc::new(spans),
    };
    if failed { loaded.broken.push(object) } else { loaded.objects.push(object) }
}

/// The shape of the whole object, for suggestions.
pub(crate) fn root_shape(kind: KindName) -> Shape {
    use crate::{destination_rule, gateway, mesh, security, sidecar, virtual_service};
    Shape::Message(match kind {
        KindName::VirtualService => Envelope::<virtual_service::VirtualService>::SCHEMA,
        KindName::DestinationRule => Envelope::<destination_rule::DestinationRule>::SCHEMA,
        KindName::Gateway => Envelope::<gateway::Gateway>::SCHEMA,
        KindName::ServiceEntry => Envelope::<ServiceEntry>::SCHEMA,
        KindName::WorkloadEntry => Envelope::<crate::workload_entry::WorkloadEntry>::SCHEMA,
        KindName::WorkloadGroup => Envelope::<crate::workload_group::WorkloadGroup>::SCHEMA,
        KindName::Sidecar => Envelope::<sidecar::Sidecar>::SCHEMA,
        KindName::ProxyConfig => Envelope::<mesh::ProxyConfigObject>::SCHEMA,
        KindName::PeerAuthentication => Envelope::<security::PeerAuthentication>::SCHEMA,
        KindName::RequestAuthentication => Envelope::<security::RequestAuthentication>::SCHEMA,
        _ => Envelope::<Metadata>::SCHEMA,
    })
}

fn read_body(node: &Node, kind: KindName, decoder: &mut Decoder<'_>) -> (Metadata, Kind) {
    match kind {
        KindName::VirtualService => istio(node, decoder, Kind::VirtualService),
        KindName::DestinationRule => istio(node, decoder, Kind::DestinationRule),
        KindName::Gateway => istio(node, decoder, Kind::Gateway),
        KindName::ServiceEntry => service_entry(node, decoder),
        KindName::WorkloadEntry => istio(node, decoder, Kind::WorkloadEntry),
        KindName::WorkloadGroup => istio(node, decoder, Kind::WorkloadGroup),
        KindName::Sidecar => istio(node, decoder, Kind::Sidecar),
        KindName::ProxyConfig => istio(node, decoder, Kind::ProxyConfig),
        KindName::PeerAuthentication => istio(node, decoder, Kind::PeerAuthentication),
        KindName::RequestAuthentication => {
            // Only a part of the kind is modelled.
            decoder.skip_unknown_fields();
            istio(node, decoder, Kind::RequestAuthentication)
        }
        KindName::Service => kubernetes(node, decoder, Kind::Service),
        KindName::Endpoints => kubernetes(node, decoder, Kind::Endpoints),
        KindName::EndpointSlice => kubernetes(node, decoder, Kind::EndpointSlice),
        KindName::Pod => kubernetes(node, decoder, Kind::Pod),
        KindName::Namespace => kubernetes(node, decoder, Kind::Namespace),
        KindName::Node => kubernetes(node, decoder, Kind::Node),
        KindName::Secret => kubernetes(node, decoder, |secret: Arc<Secret>| Kind::Secret(secret)),
        KindName::ConfigMap => config_map(node, decoder),
        KindName::Deployment => kubernetes(node, decoder, Kind::Deployment),
        KindName::StatefulSet => kubernetes(node, decoder, Kind::StatefulSet),
        KindName::ReplicaSet => kubernetes(node, decoder, Kind::ReplicaSet),
        KindName::DaemonSet => kubernetes(node, decoder, Kind::DaemonSet),
    }
}

/// Reads metadata and `spec`.
fn istio<T: Decode + Default>(
    node: &Node,
    decoder: &mut Decoder<'_>,
    wrap: impl FnOnce(Arc<T>) -> Kind,
) -> (Metadata, Kind) {
    let (meta, spec) = istio_fields(node, decoder);
    (meta, wrap(Arc::new(spec)))
}

fn istio_fields<T: Decode + Default>(node: &Node, decoder: &mut Decoder<'_>) -> (Metadata, T) {
    let mut meta = Metadata::default();
    let mut spec = T::default();
    if let Some(mut fields) = decoder.fields(node, Envelope::<T>::SCHEMA) {
        while let Some((field, entry)) = fields.next(decoder) {
            match field.name {
                "metadata" => meta = envelope::metadata(entry, decoder),
                "spec" => decoder.set(field, entry, &mut spec),
                // apiVersion and kind were read before; the status is for people.
                _ => {}
            }
        }
    }
    (meta, spec)
}

/// The addresses that were allocated for a ServiceEntry are in its status.
fn service_entry(node: &Node, decoder: &mut Decoder<'_>) -> (Metadata, Kind) {
    let (meta, spec) = istio_fields::<ServiceEntry>(node, decoder);
    let mut status = ServiceEntryStatus::default();
    if let (Some(entry), Some(field)) =
        (node.entry("status"), Envelope::<ServiceEntry>::SCHEMA.field("status"))
    {
        decoder.skip_unknown_fields();
        decoder.set(field, entry, &mut status);
    }
    (meta, Kind::ServiceEntry(Arc::new(ServiceEntryObject { spec, status })))
}

/// Reads metadata and the fields beside it.
fn kubernetes<T: Decode + Default>(
    node: &Node,
    decoder: &mut Decoder<'_>,
    wrap: impl FnOnce(Arc<T>) -> Kind,
) -> (Metadata, Kind) {
    let meta =
        node.entry("metadata").map(|entry| envelope::metadata(entry, decoder)).unwrap_or_default();
    (meta, wrap(Arc::new(T::decode(node, decoder).unwrap_or_default())))
}

fn config_map(node: &Node, decoder: &mut Decoder<'_>) -> (Metadata, Kind) {
    let (meta, _) = kubernetes(node, decoder, Kind::Namespace);
    (meta, Kind::ConfigMap(Arc::new(ConfigMap::read(node).unwrap_or_default())))
}
