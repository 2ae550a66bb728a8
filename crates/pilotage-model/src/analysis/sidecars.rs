//! `Sidecar` objects that select no pod (IST0101), or the same ones as others (IST0110, IST0111).

use std::collections::BTreeMap;

use pilotage_config::object::{Kind, Object};
use pilotage_config::sidecar::Sidecar;
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labels, selector_text, selects};

fn sidecars<'a>(objects: &'a [&'a Object]) -> impl Iterator<Item = (&'a Object, &'a Labels)> {
    objects.iter().filter_map(|object| match &object.body {
        Kind::Sidecar(sidecar) => Some((*object, selector(sidecar))),
        _ => None,
    })
}

fn selector(sidecar: &Sidecar) -> &Labels {
    static EVERYTHING: Labels = Labels::new();
    sidecar.workload_selector.as_ref().map_or(&EVERYTHING, |selector| &selector.labels)
}

/// Those with selectors: they select pods of their namespace, and not the same ones.
pub(super) fn selecting(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut of_pods: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    for (object, selector) in sidecars(context.objects()).filter(|(_, s)| !s.is_empty()) {
        let pods = context.objects().iter().filter(|pod| {
            matches!(pod.body, Kind::Pod(_))
                && pod.namespace() == object.namespace()
                && selects(selector, &pod.meta.labels)
        });
        let mut is_idle = true;
        for pod in pods {
            is_idle = false;
            of_pods.entry((pod.namespace(), pod.name())).or_default().push(object);
        }
        if is_idle {
            problems.push(idle(object, selector));
        }
    }
    for ((namespace, pod), all) in of_pods.iter().filter(|(_, all)| all.len() > 1) {
        let shown = format!(
            "of the Sidecars that select the pod `{namespace}/{pod}`, only the oldest counts"
        );
        let istio = format!(
            "The Sidecars [{}] in namespace {namespace:?} select the same workload pod {pod:?}, which can lead to \
             undefined behavior.",
            names(all)
        );
        problems.extend(conflict(codes::IST0110, all, &shown, &istio));
    }
    problems
}

/// Those without selectors: one a namespace.
pub(super) fn of_namespaces(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for (object, _) in sidecars(context.objects()).filter(|(_, selector)| selector.is_empty()) {
        by_namespace.entry(object.namespace()).or_default().push(object);
    }
    let mut problems = Vec::new();
    for (namespace, all) in by_namespace.iter().filter(|(_, all)| all.len() > 1) {
        let shown = format!(
            "of the Sidecars for the whole namespace `{namespace}`, only the oldest counts"
        );
        let istio = format!(
            "The Sidecars [{}] in namespace {namespace:?} have no workload selector, which can lead to undefined \
             behavior.",
            names(all)
        );
        problems.extend(conflict(codes::IST0111, all, &shown, &istio));
    }
    problems
}

fn idle(object: &Object, selector: &Labels) -> Diagnostic {
    let text = selector_text(selector);
    let message = format!("no pod has the labels `{}`", text.replace(',', ", "));
    let path = FieldPath::spec().field("workloadSelector");
    object
        .value_diagnostic(codes::IST0101, &path, message, "selects nothing")
        .istio(format!("Referenced selector not found: {text:?}"))
}

fn names(all: &[&Object]) -> String {
    all.iter().map(|object| object.name()).collect::<Vec<_>>().join(" ")
}

/// One problem for each of `all`, that shows the first of the others.
fn conflict<'a>(
    code: Code,
    all: &'a [&'a Object],
    message: &'a str,
    istio: &'a str,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let path = FieldPath::from("metadata.name");
    all.iter().map(move |object| {
        let problem = object
            .value_diagnostic(code, &path, message, "not alone")
            .help("merge them, or let their selectors exclude each other")
            .istio(istio);
        let other = all.iter().find(|other| !std::ptr::eq(**other, *object));
        match other.and_then(|other| Some((other, other.spans.value(&path)?))) {
            Some((other, span)) => problem.also_at(&other.source.file, span, "the other one"),
            None => problem,
        }
    })
}
