//! Rules of a Gateway.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::hosts::ScopedHost;
use super::{names, ports, server_tls};
use crate::field_path::FieldPath;
use crate::gateway::{Gateway, Port, Server, ServerTlsMode};

pub(super) fn check(spec: &Gateway, checker: &mut Checker<'_>) {
    let name = checker.name();
    if !names::is_dns_label(name) {
        checker.error(
            &FieldPath::from("metadata.name"),
            format!("`{name}` is not a name for a Gateway: letters, digits and dashes only"),
            "no dots here",
        );
    }
    let list = FieldPath::spec().field("servers");
    if spec.servers.is_empty() {
        checker.error(&FieldPath::spec(), "a Gateway needs at least one server", "needs `servers`");
    }
    let mut port_names = BTreeMap::new();
    for (index, server) in spec.servers.iter().enumerate() {
        let at = list.index(index);
        check_server(server, &at, checker);
        let Some(port) = &server.port else { continue };
        let at = at.field("port").field("name");
        if let Some(first) = port_names.get(&port.name) {
            checker.error(&at, format!("two servers have the port name `{}`", port.name), "again");
            checker.also_at(first, "the first one");
        } else {
            port_names.insert(port.name.clone(), at);
        }
    }
}

fn check_server(server: &Server, at: &FieldPath, checker: &mut Checker<'_>) {
    if server.hosts.is_empty() {
        checker.error(
            at,
            "a server is for at least one host",
            "needs `hosts`, for instance [\"*\"]",
        );
    }
    for (index, host) in server.hosts.iter().enumerate() {
        let at = at.field("hosts").index(index);
        let host = ScopedHost::parse(host);
        host.check_namespace(".", &at, checker);
        if host.name.parse::<std::net::Ipv4Addr>().is_err() {
            host.check_name(&at, checker);
        }
    }
    bind(&server.bind, server.port.as_ref(), at, checker);
    let Some(port) = &server.port else {
        checker.error(at, "a server listens on a port", "needs `port`");
        return;
    };
    check_port(port, &server.bind, &at.field("port"), checker);
    tls_fits_protocol(server, port, at, checker);
    if let Some(settings) = &server.tls {
        server_tls::check(settings, &at.field("tls"), checker);
    }
}

fn bind(bind: &str, port: Option<&Port>, at: &FieldPath, checker: &mut Checker<'_>) {
    let at_bind = at.field("bind");
    if let Some(path) = bind.strip_prefix("unix://") {
        unix_path(path, &at_bind, checker);
        if port.is_some_and(|port| port.number != 0) {
            checker.error(
                &at.field("port").field("number"),
                "a server on a unix socket has no port number",
                "has to be 0",
            );
        }
    } else if !bind.is_empty() && !names::is_ip(bind) {
        checker.error(&at_bind, format!("`{bind}` is not an IP address"), "not an address");
    }
}

/// The path of a unix socket: absolute, or abstract with a leading `@`.
pub(super) fn unix_path(path: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    let is_abstract = path.starts_with('@');
    let is_file = path.starts_with('/') && !path.ends_with('/');
    if !is_abstract && !is_file {
        checker.error(at, format!("`{path}` is not the absolute path of a file"), "not a socket");
    }
}

fn check_port(port: &Port, bind: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    if !ports::is_protocol(&port.protocol) {
        checker.error(
            &at.field("protocol"),
            format!("`{}` is not a protocol of a Gateway", port.protocol),
            "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP or TLS",
        );
    }
    if port.number > 0 || bind.is_empty() {
        ports::number(port.number, &at.field("number"), checker);
    }
    if port.target_port > 0 {
        let at = at.field("targetPort");
        checker.error(&at, "`targetPort` does nothing in a Gateway", "remove it");
    }
    if port.name.is_empty() {
        checker.error(&at.field("name"), "a port of a Gateway needs a name", "needs `name`");
    }
}

fn tls_fits_protocol(server: &Server, port: &Port, at: &FieldPath, checker: &mut Checker<'_>) {
    let Some(tls) = &server.tls else {
        if ports::is_tls(&port.protocol) {
            checker.error(
                at,
                format!("protocol {} needs TLS settings", port.protocol),
                "needs `tls`",
            );
        }
        return;
    };
    let at_tls = at.field("tls");
    if tls.https_redirect && !ports::is_plain_http(&port.protocol) {
        let at = at_tls.field("httpsRedirect");
        checker.warning(&at, "`httpsRedirect` is for plain HTTP ports", "has no effect");
    }
    if ports::is_tls(&port.protocol) {
        return;
    }
    if !ports::is_plain_http(&port.protocol) {
        let message = format!("a port of protocol {} has no TLS settings", port.protocol);
        checker.error(&at_tls, message, "not here");
        return;
    }
    let passes_through =
        matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough);
    let has_files = !tls.ca_certificates.is_empty()
        || !tls.private_key.is_empty()
        || !tls.server_certificate.is_empty();
    if !passes_through || has_files {
        checker.error(
            &at_tls,
            "a plain HTTP port has no TLS settings but `httpsRedirect`",
            "not here",
        );
        checker.help("to end TLS here, write `protocol: HTTPS`");
    }
}
