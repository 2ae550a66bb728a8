//! Subsets whose labels no pod has (IST0173).

use std::collections::BTreeMap;

use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Context;
use crate::labels::{Labels, selects};

/// Labels that pods inherit from the node they run on.
const OF_NODE: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// What the problem of a subset says when workloads other than pods have its labels. Istio's analyzer reports such a
/// subset all the same.
pub const SERVED_WITHOUT_PODS: &str = "endpoints of a ServiceEntry have these labels and get the requests; only pods are looked at here, as on Istio";

/// The problems of all destination rules for known hosts. Only pods count, of any service and namespace.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let (objects, hosts) = (context.objects(), &context.hosts);
    let pods = pods(objects);
    let pods = Pods::new(&pods);
    let others = other_workloads(objects);
    let templates = templates(objects);
    let mut problems = Vec::new();
    for object in objects {
        let Kind::DestinationRule(rule) = &object.body else { continue };
        if hosts.ports(&rule.host, object.namespace()).is_none() {
            continue;
        }
        for (index, subset) in rule.subsets.iter().enumerate() {
            if pods.any_with(&subset.labels) {
                continue;
            }
            let message = format!("no pod has the labels of the subset `{}`", subset.name);
            let is_served = others.iter().any(|labels| selects(&subset.labels, labels));
            let note = if is_served {
                SERVED_WITHOUT_PODS
            } else if templates.iter().any(|labels| selects(&subset.labels, labels)) {
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

/// The labels of all pods, found by each of them.
struct Pods<'a> {
    all: &'a [Labels],
    by_label: BTreeMap<(&'a str, &'a str), Vec<&'a Labels>>,
}

impl<'a> Pods<'a> {
    fn new(all: &'a [Labels]) -> Self {
        let mut by_label: BTreeMap<_, Vec<&Labels>> = BTreeMap::new();
        for labels in all {
            for (key, value) in labels {
                by_label.entry((key.as_str(), value.as_str())).or_default().push(labels);
            }
        }
        Self { all, by_label }
    }

    /// Whether a pod has these labels. Of the rarest one there are the fewest to look at.
    fn any_with(&self, wanted: &Labels) -> bool {
        let of_labels = wanted.iter().map(|(key, value)| self.with(key, value));
        match of_labels.min_by_key(|pods| pods.len()) {
            Some(pods) => pods.iter().any(|labels| selects(wanted, labels)),
            None => !self.all.is_empty(),
        }
    }

    fn with<'s>(&'s self, key: &'s str, value: &'s str) -> &'s [&'s Labels] {
        self.by_label.get(&(key, value)).map(Vec::as_slice).unwrap_or_default()
    }
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
