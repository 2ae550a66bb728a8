//! Outlier detection that can never take an endpoint out, because there are so few (PIL0310).

use std::collections::BTreeMap;

use pilotage_config::destination_rule::OutlierDetection;
use pilotage_config::object::{Kind, Object};
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::destination_rules::destination_rules;
use super::{Context, full_name};
use crate::labels::{Labels, selects};

/// The percentage that counts where none is written.
const PERCENT_DEFAULT: i32 = 10;

/// The problems of all rules whose host has endpoints that can be counted.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut index = None;
    for (object, rule) in destination_rules(context.objects()) {
        let settings = rule.traffic_policy.as_ref().and_then(|p| p.outlier_detection.as_ref());
        let whole = settings.map(|settings| {
            let path = FieldPath::spec().field("trafficPolicy").field("outlierDetection");
            (settings, path, Labels::new())
        });
        let subsets = rule.subsets.iter().enumerate().filter_map(|(index, subset)| {
            let settings = subset.traffic_policy.as_ref()?.outlier_detection.as_ref()?;
            let path = FieldPath::spec().field("subsets").index(index).field("trafficPolicy");
            Some((settings, path.field("outlierDetection"), subset.labels.clone()))
        });
        let all: Vec<_> = whole.into_iter().chain(subsets).collect();
        if all.is_empty() {
            continue;
        }
        let index = index.get_or_insert_with(|| Index::new(context.objects()));
        let endpoints = index.endpoints(&full_name(&rule.host, object.namespace()));
        for (settings, path, labels) in all {
            let count = endpoints.iter().filter(|(own, _)| selects(&labels, own));
            let count: usize = count.map(|(_, number)| number).sum();
            problems.extend(problem(object, settings, &path, count));
        }
    }
    problems
}

fn problem(
    object: &Object,
    settings: &OutlierDetection,
    path: &FieldPath,
    endpoints: usize,
) -> Option<Diagnostic> {
    let written = settings.max_ejection_percent;
    let percent = if written == 0 { PERCENT_DEFAULT } else { written };
    let possible = usize::try_from(percent).ok()?.saturating_mul(endpoints);
    if endpoints == 0 || possible >= 100 {
        return None;
    }
    let needed = 100_usize.div_ceil(endpoints);
    let share = if written == 0 {
        format!("the {PERCENT_DEFAULT} % that count without `maxEjectionPercent`")
    } else {
        format!("{percent} %")
    };
    let number = if endpoints == 1 {
        "the only endpoint".to_owned()
    } else {
        format!("one of {endpoints} endpoints")
    };
    let message = format!("this never takes an endpoint out: {number} is more than {share}");
    let path = if written == 0 { path.clone() } else { path.field("maxEjectionPercent") };
    Some(
        object
            .diagnostic(codes::PIL0310, &path, message, "never ejects")
            .help(format!("set `maxEjectionPercent` to {needed} or more")),
    )
}

/// Labels of endpoints, and how many have them.
type Endpoints = Vec<(Labels, usize)>;

/// Objects by what they are looked for by.
struct Index<'a> {
    /// Services and ServiceEntries by host.
    by_host: BTreeMap<String, Vec<&'a Object>>,
    /// What has or makes pods, by namespace.
    by_namespace: BTreeMap<&'a str, Vec<&'a Object>>,
}

impl<'a> Index<'a> {
    fn new(objects: &[&'a Object]) -> Self {
        let mut index = Self { by_host: BTreeMap::new(), by_namespace: BTreeMap::new() };
        for object in objects {
            match &object.body {
                Kind::ServiceEntry(entry) => {
                    for host in &entry.spec.hosts {
                        index.by_host.entry(host.clone()).or_default().push(*object);
                    }
                }
                Kind::Service(_) => {
                    let host = full_name(object.name(), object.namespace());
                    index.by_host.entry(host).or_default().push(*object);
                }
                Kind::Pod(_) | Kind::Deployment(_) | Kind::StatefulSet(_) | Kind::ReplicaSet(_) => {
                    index.by_namespace.entry(object.namespace()).or_default().push(*object);
                }
                _ => {}
            }
        }
        index
    }

    /// The endpoints of a host. Nothing when they cannot be known from the objects.
    fn endpoints(&self, host: &str) -> Endpoints {
        let mut found = Vec::new();
        for object in self.by_host.get(host).into_iter().flatten() {
            match &object.body {
                Kind::ServiceEntry(entry) => {
                    let listed = entry.spec.endpoints.iter();
                    found.extend(listed.map(|endpoint| (endpoint.labels.clone(), 1)));
                }
                Kind::Service(service) if !service.spec.selector.is_empty() => {
                    found.extend(self.pods(object.namespace(), &service.spec.selector));
                }
                _ => {}
            }
        }
        found
    }

    /// The pods that a service selects; where there are none, those that deployments would make.
    fn pods(&self, namespace: &str, selector: &Labels) -> Endpoints {
        let here = || self.by_namespace.get(namespace).into_iter().flatten();
        let pods: Endpoints = here()
            .filter(|object| matches!(object.body, Kind::Pod(_)))
            .filter(|pod| selects(selector, &pod.meta.labels))
            .map(|pod| (pod.meta.labels.clone(), 1))
            .collect();
        if !pods.is_empty() {
            return pods;
        }
        let made = here().filter_map(|object| match &object.body {
            Kind::Deployment(workload)
            | Kind::StatefulSet(workload)
            | Kind::ReplicaSet(workload) => {
                let labels = &workload.spec.template.metadata.labels;
                let number =
                    usize::try_from(workload.spec.replicas.unwrap_or(1)).unwrap_or_default();
                selects(selector, labels).then(|| (labels.clone(), number))
            }
            _ => None,
        });
        made.collect()
    }
}
