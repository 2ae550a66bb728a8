//! Subsets whose labels no pod has (IST0173).

use std::collections::BTreeMap;

use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labelled, Labels};

/// Labels that pods inherit from the node they run on.
const OF_NODE: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// What the problem of a subset says when workloads other than pods have its labels. Istio's analyzer reports such a
/// subset all the same.
pub const SERVED_WITHOUT_PODS: &str = "endpoints of a ServiceEntry have these labels and get the requests; only pods are looked at here, as on Istio";

/// The problems of all destination rules for known hosts. Only pods count, of any service and namespace.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let (objects, hosts) = (context.objects(), &context.hosts);
    let (pods, others) = (pods(objects), other_workloads(objects));
    let pods = Labelled::new(pods.iter().map(|labels| (labels, ())));
    let others = Labelled::new(others.iter().map(|labels| (labels, ())));
    let templates = Labelled::new(templates(objects).into_iter().map(|labels| (labels, ())));
    let is_in = |all: &Labelled<'_, ()>, labels| all.selected_by(labels).next().is_some();
    let mut problems = Vec::new();
    for object in objects {
        let Kind::DestinationRule(rule) = &object.body else { continue };
        if hosts.ports(&rule.host, object.namespace()).is_none() {
            continue;
        }
        for (index, subset) in rule.subsets.iter().enumerate() {
            if is_in(&pods, &subset.labels) {
                continue;
            }
            let message = format!("no pod has the labels of the subset `{}`", subset.name);
            let note = if is_in(&others, &subset.labels) {
                SERVED_WITHOUT_PODS
            } else if is_in(&templates, &subset.labels) {
                "a Deployment or its like makes pods with these labels; only pods themselves are looked at, as on Istio"
            } else {
                "requests for the subset are answered with 503"
            };
            let path = FieldPath::spec().field("subsets").index(index).field("labels");
            problems.push(
                object
                    .value_diagnostic(codes::IST0173, &path, message, "selects no pod")
                    .note(note)
                    .istio(format!(
                        "The Subset {} defined in the DestinationRule does not select any pods. Which may lead to \
                         503 UH (NoHealthyUpstream).",
                        subset.name
                    )),
            );
        }
    }
    problems
}

/// The labels of endpoints that are no pods: those that ServiceEntries list, and WorkloadEntries.
fn other_workloads(objects: &[&Object]) -> Vec<Labels> {
    let mut found = Vec::new();
    for object in objects {
        match &object.body {
            Kind::ServiceEntry(entry) => {
                found.extend(entry.spec.endpoints.iter().map(|endpoint| endpoint.labels.clone()));
            }
            Kind::WorkloadEntry(entry) => {
                let mut labels = object.meta.labels.clone();
                labels.extend(entry.labels.clone());
                found.push(labels);
            }
            _ => {}
        }
    }
    found
}

/// The labels of pods that others are to make.
fn templates<'a>(objects: &[&'a Object]) -> Vec<&'a Labels> {
    let template = |object: &&'a Object| match &object.body {
        Kind::Deployment(workload)
        | Kind::StatefulSet(workload)
        | Kind::ReplicaSet(workload)
        | Kind::DaemonSet(workload) => Some(&workload.spec.template.metadata.labels),
        _ => None,
    };
    objects.iter().filter_map(template).collect()
}

/// The labels of all pods, with those that come from their nodes.
fn pods(objects: &[&Object]) -> Vec<Labels> {
    let nodes: BTreeMap<&str, &Labels> = objects
        .iter()
        .filter(|object| matches!(object.body, Kind::Node(_)))
        .map(|object| (object.name(), &object.meta.labels))
        .collect();
    let pods = objects.iter().filter_map(|object| match &object.body {
        Kind::Pod(pod) => Some((*object, &pod.spec.node_name)),
        _ => None,
    });
    pods.map(|(object, node)| {
        let mut labels = object.meta.labels.clone();
        for key in OF_NODE {
            if let Some(value) = nodes.get(node.as_str()).and_then(|of_node| of_node.get(key)) {
                labels.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        if !node.is_empty() {
            labels.entry("kubernetes.io/hostname".to_owned()).or_insert_with(|| node.clone());
        }
        labels
            .entry("topology.istio.io/cluster".to_owned())
            .or_insert_with(|| "Kubernetes".to_owned());
        labels
    })
    .collect()
}
