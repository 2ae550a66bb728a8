//! `Sidecar` objects that select no pod (IST0101), the same ones as others (IST0110, IST0111), or pods without sidecars
//! (IST0167).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::object::{Kind, Object};
use pilotage_config::sidecar::Sidecar;
use pilotage_config::{Code, Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labels, selector_text};

/// The annotation of pods whose traffic is redirected without a sidecar.
const REDIRECTION: &str = "ambient.istio.io/redirection";

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
        let selected = context.pods.selected_by(selector);
        let mut is_idle = true;
        let mut ambient = None;
        for pod in selected.filter(|pod| pod.namespace() == object.namespace()) {
            is_idle = false;
            if pod.meta.annotations.get(REDIRECTION).is_some_and(|value| value == "enabled") {
                ambient.get_or_insert(*pod);
            } else {
                of_pods.entry((pod.namespace(), pod.name())).or_default().push(object);
            }
        }
        if let Some(pod) = ambient {
            let message = format!("the pod `{}` is in ambient mode and has no sidecar", pod.name());
            let path = FieldPath::spec().field("workloadSelector");
            problems.push(ineffective(object, &path, message, "selected workload is"));
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
    let ambient = ambient_namespaces(context.objects());
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for (object, _) in sidecars(context.objects()).filter(|(_, selector)| selector.is_empty()) {
        if !ambient.contains(object.namespace()) {
            by_namespace.entry(object.namespace()).or_default().push(object);
        }
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

/// Those without selectors in namespaces whose pods have no sidecars.
pub(super) fn of_ambient_namespaces(context: &Context<'_>) -> Vec<Diagnostic> {
    let ambient = ambient_namespaces(context.objects());
    sidecars(context.objects())
        .filter(|(object, selector)| selector.is_empty() && ambient.contains(object.namespace()))
        .map(|(object, _)| {
            let namespace = object.namespace();
            let message = format!("the namespace `{namespace}` is in ambient mode");
            ineffective(object, &FieldPath::from("metadata.name"), message, "namespace is")
        })
        .collect()
}

fn ambient_namespaces<'a>(objects: &[&'a Object]) -> BTreeSet<&'a str> {
    let is_ambient = |object: &&&Object| {
        let label = |name| object.meta.labels.get(name).map_or("", String::as_str);
        matches!(object.body, Kind::Namespace(_))
            && label("istio.io/dataplane-mode") == "ambient"
            && label("istio-injection") != "enabled"
            && label("istio.io/rev").is_empty()
    };
    objects.iter().filter(is_ambient).map(|object| object.name()).collect()
}

fn ineffective(object: &Object, path: &FieldPath, message: String, istio: &str) -> Diagnostic {
    object.value_diagnostic(codes::IST0167, path, message, "does nothing there").istio(format!(
        "The policy has no impact: {istio} in ambient mode, the policy has no impact."
    ))
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
        match other {
            Some(other) => other.also_value(problem, &path, "the other one"),
            None => problem,
        }
    })
}
