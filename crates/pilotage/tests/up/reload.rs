//! Edits are obeyed, and no request notices how.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::{Client, Up, reviews_at, serve, service, weights};

const URL: &str = "http://reviews:9080/reviews/0";
const HOST: &str = "reviews:9080";

#[test]
fn no_request_fails_because_of_a_reload() {
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml.clone()), ("rules.yaml", weights(100, 0))]);
    let mesh = up.address("mesh");
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
            thread::spawn(move || {
                let mut client = Client::connect(mesh);
                while !done.load(Ordering::Relaxed) {
                    let answer = client.get(URL, HOST, "");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..30 {
        // Rules, subsets and endpoints, all of them in use.
        match round % 3 {
            0 => up.save("rules.yaml", &weights(99 - round, 1 + round)),
            1 => up.save(
                "services.yaml",
                &yaml.replace(
                    "name: reviews}\nspec: {host",
                    &format!("name: reviews, labels: {{round: r{round}}}}}\nspec: {{host"),
                ),
            ),
            _ => up.save(
                &format!("{round}.yaml"),
                &weights(1, 1).replace("reviews", &format!("other{round}")),
            ),
        }
        up.line_with(&format!("generation {}:", round + 2));
    }
    up.save("rules.yaml", &weights(0, 100));
    up.line_with("generation 32:");
    assert_eq!(Client::connect(mesh).get(URL, HOST, "").body, "v2");
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 100);
}

#[test]
fn an_answer_under_way_outlives_the_rules_it_came_by() {
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let slow = serve(move |stream| {
        let sent =
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        // The test's end frees a service that waits.
        sent.is_ok()
            && wait.lock().unwrap().recv().is_ok()
            && write!(stream, "6\r\nsecond\r\n0\r\n\r\n").is_ok()
    });
    let yaml = reviews_at(&[slow, service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", weights(100, 0))]);
    let mut client = Client::connect(up.address("mesh"));
    client.send(URL, HOST, "");
    assert_eq!(client.head().0, 200);
    assert_eq!(client.chunk(), "first");
    up.save("rules.yaml", &weights(0, 100));
    up.line_with("generation 2:");
    // Even the endpoint may go.
    up.save("services.yaml", &reviews_at(&[service("v1"), service("v2")]));
    up.line_with("generation 3:");
    go_on.send(()).unwrap();
    assert_eq!(client.chunk(), "second");
    assert_eq!(client.chunk(), "");
    assert_eq!(client.get(URL, HOST, "").body, "v2");
}

#[test]
fn a_mistake_keeps_the_last_good_version_serving() {
    let yaml = reviews_at(&[service("v1"), service("v2")]);
    let up = Up::start(&[("services.yaml", yaml), ("rules.yaml", weights(100, 0))]);
    let mut client = Client::connect(up.address("mesh"));
    up.save("rules.yaml", &weights(0, 100).replace("destination:", "destinaton:"));
    // What is good beside it is obeyed, which also tells that the mistake was seen.
    up.save("other.yaml", &weights(1, 1).replace("reviews", "other"));
    up.line_with("generation 2:");
    assert_eq!(client.get(URL, HOST, "").body, "v1");
    up.save("rules.yaml", &weights(0, 100));
    let line = up.line_with("generation 3:");
    assert!(line.contains("reviews http[0] weights v1 100→0, v2 0→100 ("), "{line}");
    assert_eq!(client.get(URL, HOST, "").body, "v2");
}

#[test]
fn a_gateway_comes_and_goes_with_its_file() {
    let yaml = reviews_at(&[service("v1")]);
    let up = Up::start(&[("services.yaml", yaml)]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let edge = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  \
         selector: {{istio: ingressgateway}}\n  \
         servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']}}]\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop}}\nspec:\n  \
         hosts: ['*']\n  gateways: [edge]\n  http: [{{route: [{{destination: {{host: reviews}}}}]}}]\n"
    );
    up.save("edge.yaml", &edge);
    up.line_with("generation 2:");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(Client::connect(address).get("/", "any.example.com", "").body, "v1");
    std::fs::remove_file(up.path("edge.yaml")).unwrap();
    up.line_with("generation 3:");
    // The socket closes as its proxy drains.
    while std::net::TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
}
