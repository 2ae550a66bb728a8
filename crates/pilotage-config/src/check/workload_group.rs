//! Rules of a WorkloadGroup.

use super::checker::Checker;
use super::{ports, selector};
use crate::codes;
use crate::field_path::FieldPath;
use crate::workload_group::{ReadinessProbe, WorkloadGroup};

pub(super) fn check(spec: &WorkloadGroup, checker: &mut Checker<'_>) {
    let at = FieldPath::spec();
    checker.problem(
        codes::PIL0010,
        &at,
        "a WorkloadGroup is what machines have in common that register themselves with Istio's control plane, and \
         here they do not: no WorkloadEntry comes of it",
        "has no effect by itself",
    );
    if let Some(metadata) = &spec.metadata {
        selector::labels(&metadata.labels, &at.field("metadata").field("labels"), checker);
    }
    match &spec.template {
        Some(template) => {
            let at = at.field("template");
            selector::labels(&template.labels, &at.field("labels"), checker);
            super::workload_entry::entry_ports(template, &at, checker);
        }
        None => checker.error(&at, "a WorkloadGroup needs a template", "needs `template`"),
    }
    if let Some(probe) = &spec.probe {
        check_probe(probe, &at.field("probe"), checker);
    }
}

fn check_probe(probe: &ReadinessProbe, at: &FieldPath, checker: &mut Checker<'_>) {
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        checker.not_negative(&at.field(field), value);
    }
    if let Some(get) = &probe.http_get {
        let at = at.field("httpGet");
        ports::number(get.port, &at.field("port"), checker);
        if !matches!(get.scheme.as_str(), "" | "HTTP" | "HTTPS") {
            checker.error(&at.field("scheme"), "the scheme has to be HTTP or HTTPS", "unknown");
        }
        for (index, header) in get.http_headers.iter().enumerate() {
            let fine = !header.name.is_empty()
                && header.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !fine {
                let at = at.field("httpHeaders").index(index).field("name");
                checker.error(&at, format!("`{}` is not a header name", header.name), "not a name");
            }
        }
    } else if let Some(socket) = &probe.tcp_socket {
        ports::number(socket.port, &at.field("tcpSocket").field("port"), checker);
    } else if let Some(exec) = &probe.exec {
        if exec.command.is_empty() {
            checker.error(
                &at.field("exec"),
                "a probe by command needs the command",
                "needs `command`",
            );
        }
    } else if probe.grpc.is_none() {
        checker.error(at, "a probe needs a way to look", "httpGet, tcpSocket, exec or grpc");
    }
}
