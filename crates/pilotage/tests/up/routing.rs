//! Requests reach exactly the endpoints that the rules say.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::harness::{Client, Up, reviews_at, service, weights};

const URL: &str = "http://reviews:9080/reviews/0";
const HOST: &str = "reviews:9080";

#[test]
fn matches_and_weights_decide() {
    let rules = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410, body: {string: gone}}
  - route: [{destination: {host: reviews, subset: v1}}]
";
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", rules.to_owned())]);
    let mut client = Client::connect(up.address("mesh"));
    for _ in 0..20 {
        assert_eq!(client.get(URL, HOST, "").body, "v1");
        assert_eq!(client.get(URL, HOST, "end-user: jason\r\n").body, "v2");
    }
    // As a client that only sets the host.
    assert_eq!(client.get("/reviews/0", "reviews.default.svc.cluster.local:9080", "").body, "v1");
    let gone = client.get("http://reviews:9080/gone", HOST, "");
    assert_eq!((gone.status, gone.body.as_str()), (410, "gone"));
}

#[test]
fn weights_share_out_requests() {
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", weights(80, 20))]);
    let mut client = Client::connect(up.address("mesh"));
    let first = (0..1000).filter(|_| client.get(URL, HOST, "").body == "v1").count();
    // Six standard deviations: a wrong result is a wrong program.
    assert!((724..=876).contains(&first), "{first} of 1000");
}

#[test]
fn gateways_listen_at_the_ports_of_their_servers() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let edge = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  \
         selector: {{istio: ingressgateway}}\n  \
         servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: [shop.example.com]}}]\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop}}\nspec:\n  \
         hosts: [shop.example.com]\n  gateways: [edge]\n  \
         http: [{{route: [{{destination: {{host: reviews, subset: v2}}}}]}}]\n"
    );
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("edge.yaml", edge)]);
    let gateway = up.address("gateway");
    assert_eq!(gateway.port(), port);
    let mut client = Client::connect(gateway);
    assert_eq!(client.get("/", "shop.example.com", "").body, "v2");
    assert_eq!(client.get("/", "other.example.com", "").status, 404);
    // One scrape shows every proxy of the process.
    let metrics = Client::connect(up.address("metrics")).get("/stats/prometheus", "x", "").body;
    let counted = |line: &&str| {
        line.starts_with("istio_requests_total{")
            && line.contains("source_app=\"ingressgateway\"")
            && line.contains("response_code=\"200\"")
            && line.ends_with("} 1")
    };
    assert_eq!(metrics.lines().filter(counted).count(), 1, "{metrics}");
}

#[test]
fn a_port_that_wants_tls_answers_nobody_in_the_clear() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let edge = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  \
         selector: {{istio: ingressgateway}}\n  \
         servers: [{{port: {{number: {port}, name: https, protocol: HTTPS}}, hosts: ['*'], \
         tls: {{mode: SIMPLE, credentialName: edge}}}}]\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop}}\nspec:\n  \
         hosts: ['*']\n  gateways: [edge]\n  http: [{{directResponse: {{status: 200}}}}]\n"
    );
    // Its Secret is missing, too.
    let _up = Up::start(&[("edge.yaml", edge)]);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The end may come as a reset.
    stream.read_to_end(&mut answer).ok();
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn the_other_ports_answer() {
    let up = Up::start(&[("services.yaml", reviews_at(&[service("v1")]))]);
    let ready = Client::connect(up.address("ready")).get("/healthz/ready", "x", "");
    assert_eq!(ready.status, 200);
    let metrics = Client::connect(up.address("metrics")).get("/stats/prometheus", "x", "");
    assert_eq!(metrics.status, 200);
    let dump = Client::connect(up.address("admin")).get("/config_dump", "x", "");
    assert!(dump.body.contains("outbound|9080||reviews.default.svc.cluster.local"));
}
