//! Services, pods, sidecars, subsets and what all objects have.

use super::*;

#[test]
fn an_object_may_ask_for_silence() {
    let spec = "{hosts: [cart], http: [{route: [{destination: {host: nowhere}}]}]}";
    let loud = virtual_service(spec);
    assert_eq!(problems(&loud).len(), 1);
    let annotations = "{galley.istio.io/analyze-suppress: 'IST0109, IST0101'}";
    let quiet = loud.replace("name: v,", &format!("name: v, annotations: {annotations},"));
    assert_eq!(problems(&quiet), []);
}

#[test]
fn selectors_and_secrets_need_a_counterpart() {
    let tls = "{mode: SIMPLE, credentialName: c}";
    let servers = format!(
        "[{{port: {{number: 443, name: s, protocol: HTTPS}}, hosts: [a.test], tls: {tls}}}]"
    );
    let gateway =
        object("Gateway", "web", &format!("{{selector: {{app: web}}, servers: {servers}}}"));
    let pod = pod("web", "app: web").replace("shop", "edge");
    let secret = |namespace: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: c, namespace: {namespace}}}\n"
        )
    };
    let of = |yaml: &str| {
        let found = problems(yaml).into_iter().filter(|(code, _)| *code == "IST0101");
        found.map(|(_, message)| message).collect::<Vec<_>>()
    };
    assert_eq!(of(&gateway), ["no pod has the labels `app=web`"]);
    let beside = format!("{gateway}{pod}{}", secret("shop"));
    assert_eq!(of(&beside), ["there is no Secret `edge/c`"]);
    assert!(of(&format!("{gateway}{pod}{}", secret("edge"))).is_empty());
}

#[test]
fn rules_for_unknown_hosts_and_unchecked_certificates_are_told() {
    let of = |spec: &str| told(&format!("{CART}{}", object("DestinationRule", "r", spec)));
    assert_eq!(of("{host: cart}"), Vec::<&str>::new());
    assert_eq!(of("{host: '*.shop.svc.cluster.local'}"), ["IST0174"]);
    assert_eq!(of("{host: cart, trafficPolicy: {tls: {mode: SIMPLE}}}"), ["IST0128"]);
    let ports = "{host: cart, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}}";
    assert_eq!(of(ports), ["IST0129"]);
    let checked = "{host: cart, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}}";
    assert_eq!(of(checked), Vec::<&str>::new());
}

#[test]
fn names_and_labels_that_say_too_little_are_told() {
    let yaml = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: blue, labels: {istio-injection: enabled}}
";
    let ports =
        "{ports: [{name: http-a, port: 1}, {name: thing, port: 2}, {name: db, port: 3306}]}";
    assert_eq!(told(&format!("{yaml}{}", object("Service", "s", ports))), ["IST0118", "IST0102"]);
}

#[test]
fn subsets_and_ports_need_pods_and_services() {
    let pod = pod("p", "app: cart, version: v1");
    let subsets = "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]";
    let rule = object("DestinationRule", "r", &format!("{{host: cart, subsets: {subsets}}}"));
    let servers = "
  - {port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test]}
  - {port: {number: 81, name: b, protocol: HTTP}, hosts: [b.test]}";
    let gateway =
        object("Gateway", "g", &format!("\n  selector: {{app: cart}}\n  servers:{servers}"));
    let cart = CART.replace("spec: {", "spec: {selector: {app: cart}, ");
    let found = problems(&format!("{cart}{pod}{rule}{gateway}"));
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["IST0173", "IST0162"]);
    assert!(found[0].1.contains("`v2`") && found[1].1.ends_with("81"), "{found:?}");
}

#[test]
fn a_subset_of_listed_endpoints_is_told_as_on_istio_and_said_to_be_served() {
    let text = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: x}\n\
         spec: {hosts: [x.test], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], \
         endpoints: [{address: 10.0.0.1, labels: {version: v1}}]}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: x}\n\
         spec: {host: x.test, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n";
    let loaded = pilotage_config::load("x.yaml", text);
    let objects: Vec<_> = loaded.objects.iter().collect();
    let notes: Vec<_> = analyze(&objects).into_iter().flat_map(|problem| problem.notes).collect();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0], subsets::SERVED_WITHOUT_PODS);
    assert_ne!(notes[1], subsets::SERVED_WITHOUT_PODS);
}

#[test]
fn sidecars_share_no_pods() {
    let sidecar = |name: &str, spec: &str| object("Sidecar", name, spec);
    let pod = pod("p", "app: cart, tier: web");
    let of = |label: &str| {
        format!("{{workloadSelector: {{labels: {label}}}, egress: [{{hosts: ['./*']}}]}}")
    };
    let two = sidecar("a", &of("{app: cart}")) + &sidecar("b", &of("{tier: web}"));
    assert_eq!(told(&format!("{pod}{two}")), ["IST0110", "IST0110"]);
    let apart = sidecar("a", &of("{app: cart}")) + &sidecar("b", &of("{tier: db}"));
    assert_eq!(told(&format!("{pod}{apart}")), ["IST0101"]);
    let whole = "{egress: [{hosts: ['./*']}]}";
    let two = sidecar("a", whole) + &sidecar("b", whole);
    assert_eq!(told(&format!("{pod}{two}")), ["IST0111", "IST0111"]);
    assert_eq!(told(&format!("{pod}{}", sidecar("a", whole))), Vec::<&str>::new());
}

#[test]
fn tls_of_a_sidecar_needs_ports_without_mtls() {
    let sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: s, namespace: shop}\n\
         spec: {workloadSelector: {labels: {app: cart}}, ingress: [{port: {number: 9443, protocol: HTTPS, name: s}, \
         tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}}, {port: {number: 80, protocol: HTTP, name: p}}]}\n";
    let policy = |namespace: &str, spec: &str| {
        format!(
            "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
             metadata: {{name: p, namespace: {namespace}}}\nspec: {spec}\n"
        )
    };
    let pod = |labels: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop, labels: {labels}}}\n"
        )
    };
    let of = |more: &str| {
        let found = problems(&format!("{sidecar}{more}")).into_iter();
        found.filter(|(code, _)| *code == "PIL0010").map(|(_, text)| text).collect::<Vec<_>>()
    };
    let text = |instead: &str| {
        [format!(
            "`tls` of a Sidecar counts only on ports that take no mTLS of the mesh; port 9443 takes {instead} instead"
        )]
    };
    assert_eq!(of(""), text("mTLS and plain text"));
    assert_eq!(of(&policy("istio-system", "{mtls: {mode: STRICT}}")), text("mTLS"));
    assert!(of(&policy("istio-system", "{mtls: {mode: DISABLE}}")).is_empty());
    let port =
        "{selector: {matchLabels: {app: cart, tier: web}}, portLevelMtls: {9443: {mode: DISABLE}}}";
    let port = policy("shop", port);
    assert_eq!(of(&port).len(), 1, "nothing is known to have the other label");
    assert!(of(&format!("{}{port}", pod("{app: cart, tier: web}"))).is_empty());
    assert_eq!(of(&format!("{}{port}", pod("{app: cart}"))).len(), 1);
}

#[test]
fn services_of_a_deployment_agree_about_ports() {
    let labels = "{app: cart, sidecar.istio.io/inject: 'true'}";
    let template = format!("{{template: {{metadata: {{labels: {labels}}}}}}}");
    let deployment = object("Deployment", "d", &template);
    let service = |name: &str, port: &str| {
        object("Service", name, &format!("{{selector: {{app: cart}}, ports: [{port}]}}"))
    };
    let tcp = service("a", "{name: http, port: 80}");
    let udp = service("b", "{name: udp, port: 80, protocol: UDP}");
    assert_eq!(told(&format!("{deployment}{tcp}{udp}")), ["IST0116"]);
    let moved = service("b", "{name: http, port: 81, targetPort: 80}");
    assert_eq!(told(&format!("{deployment}{tcp}{moved}")), ["IST0137"]);
    let outside = deployment.replace("'true'", "'false'");
    assert_eq!(told(&format!("{outside}{tcp}{moved}")), Vec::<&str>::new());
}

#[test]
fn ports_of_aliases_have_to_say_what_they_carry() {
    let alias = |name: &str| {
        let ports = format!("[{{name: {name}, port: 80}}]");
        let spec = format!("{{type: ExternalName, externalName: a.test, ports: {ports}}}");
        object("Service", "s", &spec)
    };
    assert_eq!(told(&alias("tcp-x")), ["IST0150"]);
    assert_eq!(told(&alias("http")), Vec::<&str>::new());
}

#[test]
fn annotations_are_known_and_in_their_place() {
    let of = |kind: &str, annotation: &str| {
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        told(&format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: shop, annotations: {{{annotation}}}}}\n"
        ))
    };
    assert_eq!(of("Pod", "sidecar.istio.io/logLevel: debug"), Vec::<&str>::new());
    assert_eq!(of("Deployment", "sidecar.istio.io/logLevel: debug"), ["IST0107"]);
    assert_eq!(of("Pod", "sidecar.istio.io/loglevel: debug"), ["IST0108"]);
    assert_eq!(of("Pod", "sidecar.istio.io/inject: 'true'"), ["IST0135"]);
    assert_eq!(of("Service", "galley.istio.io/analyze-suppress: IST0101"), Vec::<&str>::new());
    assert_eq!(of("Service", "example.com/anything: x"), Vec::<&str>::new());
    let ports = |value: &str| {
        of("Pod", &format!("traffic.sidecar.istio.io/excludeInboundPorts: '{value}'"))
    };
    assert_eq!(ports("80, 443"), Vec::<&str>::new());
    assert_eq!(ports("80;443"), ["IST0125"]);
    let ranges = |value: &str| {
        of("Pod", &format!("traffic.sidecar.istio.io/includeOutboundIPRanges: '{value}'"))
    };
    assert_eq!(ranges("*"), Vec::<&str>::new());
    assert_eq!(ranges("10.0.0.0/8,10.1.0.0"), ["IST0125"]);
}

#[test]
fn endpoints_of_a_host_are_counted_where_they_come_from() {
    let rule = |subsets: &str| {
        let policy = "{outlierDetection: {maxEjectionPercent: 40}}";
        let spec = format!("{{host: cart, trafficPolicy: {policy}{subsets}}}");
        object("DestinationRule", "r", &spec)
    };
    let service = CART.replace("spec: {", "spec: {selector: {app: cart}, ");
    let pods = |number: usize| -> String {
        (0..number).map(|number| pod(&format!("p{number}"), "app: cart")).collect()
    };
    let deployment = |replicas: usize| {
        let template = "{metadata: {labels: {app: cart}}}";
        let spec = format!("{{replicas: {replicas}, template: {template}}}");
        object("Deployment", "d", &spec)
    };
    let told = |objects: String| told(&objects).contains(&"PIL0310");
    assert!(told(format!("{service}{}{}", pods(2), rule(""))));
    assert!(!told(format!("{service}{}{}", pods(3), rule(""))));
    assert!(told(format!("{service}{}{}", deployment(2), rule(""))));
    assert!(!told(format!("{service}{}{}", deployment(3), rule(""))));
    assert!(!told(format!("{service}{}", rule(""))), "nothing is known");
}

#[test]
fn sidecars_do_nothing_in_ambient_mode() {
    let sidecar = |selector: &str| {
        object("Sidecar", "s", &format!("{{{selector}egress: [{{hosts: ['./*']}}]}}"))
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop, labels: {app: cart}, \
               annotations: {ambient.istio.io/redirection: enabled}}\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: \
                     {istio.io/dataplane-mode: ambient}}\n";
    let selecting = sidecar("workloadSelector: {labels: {app: cart}}, ");
    assert_eq!(told(&format!("{pod}{selecting}")), ["IST0167"]);
    let whole = told(&format!("{namespace}{}", sidecar("")));
    assert_eq!(whole.iter().filter(|code| **code != "IST0102").collect::<Vec<_>>(), [&"IST0167"]);
}

#[test]
fn ports_that_an_entry_for_a_host_does_not_name_stay_with_the_wildcard() {
    let entry = |name: &str, host: &str, more: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\n\
             spec: {{hosts: ['{host}'], {more}}}\n"
        )
    };
    let two = "ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]";
    let one = "ports: [{number: 443, name: tls, protocol: TLS}]";
    let all = entry("all", "*.a.test", &format!("{two}, resolution: NONE"));
    let of = |host: &str, more: &str| told(&format!("{all}{}", entry("one", host, more)));
    let fixed = "resolution: STATIC, endpoints: [{address: 10.0.0.1}]";
    assert_eq!(of("x.a.test", &format!("{one}, {fixed}")), ["PIL0317"]);
    assert_eq!(of("x.a.test", &format!("{two}, {fixed}")), Vec::<&str>::new());
    assert_eq!(of("x.a.test", &format!("{one}, resolution: NONE")), Vec::<&str>::new());
    assert_eq!(of("x.b.test", &format!("{one}, {fixed}")), Vec::<&str>::new());
}
