//! The proxy of a workload of which only labels are known.

use pilotage_config::{Kind, Object};

use super::{ProxyClass, ProxyKind};
use crate::labels::{Labels, selects};
use crate::snapshot::Snapshot;

/// The proxy of the workload that `selector` selects: a Pod, what a Deployment would make, what a Service selects, and if
/// nothing is known of it, one with just these labels in `namespace`.
#[must_use]
pub fn of_selector(
    snapshot: &Snapshot,
    kind: ProxyKind,
    selector: &Labels,
    namespace: &str,
) -> ProxyClass {
    let candidates = || snapshot.objects.iter().map(|object| &**object);
    let found = candidates()
        .find_map(|object| pod(object, selector))
        .or_else(|| candidates().find_map(|object| template(object, selector)))
        .or_else(|| candidates().find_map(|object| selected(object, selector)));
    let mut proxy = found.unwrap_or_else(|| ProxyClass {
        namespace: namespace.into(),
        labels: selector.clone(),
        ..ProxyClass::default()
    });
    proxy.kind = kind;
    proxy
}

fn proxy(object: &Object, labels: &Labels, service_account: &str) -> ProxyClass {
    ProxyClass {
        namespace: object.namespace().into(),
        labels: labels.clone(),
        service_account: service_account.into(),
        ..ProxyClass::default()
    }
}

fn pod(object: &Object, selector: &Labels) -> Option<ProxyClass> {
    let Kind::Pod(pod) = &object.body else { return None };
    if selector.is_empty() || !selects(selector, &object.meta.labels) {
        return None;
    }
    let mut proxy = proxy(object, &object.meta.labels, &pod.spec.service_account_name);
    proxy.addresses = pod.status.pod_ip.parse().into_iter().collect();
    Some(proxy)
}

fn template(object: &Object, selector: &Labels) -> Option<ProxyClass> {
    let (Kind::Deployment(workload) | Kind::StatefulSet(workload) | Kind::DaemonSet(workload)) =
        &object.body
    else {
        return None;
    };
    let template = &workload.spec.template;
    (!selector.is_empty() && selects(selector, &template.metadata.labels))
        .then(|| proxy(object, &template.metadata.labels, &template.spec.service_account_name))
}

/// A Service whose selector says more than the one that is asked for, which only says which Service's pods it means.
fn selected(object: &Object, selector: &Labels) -> Option<ProxyClass> {
    let Kind::Service(service) = &object.body else { return None };
    (!selector.is_empty() && selects(selector, &service.spec.selector))
        .then(|| proxy(object, &service.spec.selector, ""))
}
