//! What people see of mistakes that only several objects together show: one text, one rendered answer.

use pilotage_config::{Object, RenderOptions, load};
use pilotage_model::analysis::analyze;

/// The answer to a text, as on a terminal without colours; problems that others tell are left out.
fn answer(code: &str, text: &str) -> String {
    let loaded = load("mesh.yaml", text);
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    let objects: Vec<&Object> = loaded.objects.iter().collect();
    let problems = analyze(&objects);
    let rendered = problems.iter().filter(|problem| problem.code.id() == code).map(|problem| {
        let rendered = problem.render(&("mesh.yaml", text), &RenderOptions::default());
        for line in rendered.lines() {
            assert!(line.chars().count() <= 120, "too wide: {line}");
        }
        rendered
    });
    rendered.collect::<Vec<_>>().join("\n\n")
}

fn service_entry(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}---\n"
    )
}

fn gateway(name: &str, selector: &str, servers: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: edge}}\nspec:\n  selector: {selector}\n  servers:\n{servers}---\n"
    )
}

#[test]
fn tcp_ports_need_addresses() {
    let text = service_entry(
        "db",
        "  hosts: [db.test]\n  resolution: DNS\n  ports:\n  - {number: 5432, name: pg, protocol: TCP}\n  \
         - {number: 443, name: tls, protocol: TLS}\n",
    );
    insta::assert_snapshot!(answer("IST0134", &text));
    let addressed = text.replace("  resolution", "  addresses: [10.9.0.1]\n  resolution");
    assert_eq!(answer("IST0134", &addressed), "");
}

#[test]
fn a_port_of_a_host_has_one_protocol() {
    let entry = |name: &str, protocol: &str| {
        let ports = format!("  - {{number: 9000, name: web, protocol: {protocol}}}\n");
        service_entry(name, &format!("  hosts: [a.test]\n  resolution: DNS\n  ports:\n{ports}"))
    };
    insta::assert_snapshot!(answer("IST0177", &(entry("one", "HTTP") + &entry("two", "TLS"))));
    assert_eq!(answer("IST0177", &(entry("one", "HTTP") + &entry("two", "http"))), "");
    let hidden = entry("two", "TLS")
        .replace("shop", "away")
        .replace("  hosts", "  exportTo: ['.']\n  hosts");
    let own = entry("one", "HTTP").replace("  hosts", "  exportTo: ['.']\n  hosts");
    assert_eq!(answer("IST0177", &(own + &hidden)), "");
}

#[test]
fn a_certificate_belongs_to_one_gateway() {
    let server = "  - port: {number: 443, name: https, protocol: HTTPS}\n    hosts: [HOST]\n    \
                  tls: {mode: SIMPLE, credentialName: shared}\n";
    let one = gateway("one", "{istio: in}", &server.replace("HOST", "a.test"));
    let two = gateway("two", "{istio: in, app: x}", &server.replace("HOST", "b.test"));
    insta::assert_snapshot!(answer("IST0138", &(one.clone() + &two)));
    let elsewhere = two.replace("istio: in", "istio: out");
    assert_eq!(answer("IST0138", &(one + &elsewhere)), "");
}

#[test]
fn a_host_of_a_port_belongs_to_one_gateway() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: in-1, namespace: edge, labels: {istio: in}}\n---\n";
    let server = "  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: [a.test]\n";
    let one = gateway("one", "{istio: in}", server);
    let two = gateway("two", "{istio: in}", &server.replace("[a.test]", "[b.test, a.test]"));
    insta::assert_snapshot!(answer("IST0145", &(pod.to_owned() + &one + &two)));
    let apart = two.replace("    hosts", "    bind: 10.0.0.1\n    hosts");
    assert_eq!(answer("IST0145", &(pod.to_owned() + &one + &apart)), "");
}
