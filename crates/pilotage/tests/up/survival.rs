//! An edit changes what it says, and nothing else: counters, ejections, connections and requests under way stay.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::harness::{Client, Up, service};

/// A service that counts its connections, and answers `/hold` when it is told to.
struct Watched {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Watched {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, gate) = (Arc::<AtomicUsize>::default(), Arc::default());
        let (count, theirs) = (Arc::clone(&connections), Arc::clone(&gate));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let gate = Arc::clone(&theirs);
                thread::spawn(move || answer(stream, &gate));
            }
        });
        Self { address, connections, gate }
    }

    fn release(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

fn answer(stream: TcpStream, gate: &(Mutex<bool>, Condvar)) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let first = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        if first.contains("/hold") {
            let open = gate.0.lock().unwrap();
            drop(gate.1.wait_while(open, |open| !*open).unwrap());
        }
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").ok()?;
    }
}

/// A service that only fails.
fn failing() -> SocketAddr {
    crate::harness::serve(|stream| {
        stream.write_all(b"HTTP/1.1 503 X\r\ncontent-length: 3\r\n\r\nbad").is_ok()
    })
}

fn entry(name: &str, endpoints: &[SocketAddr]) -> String {
    let endpoints: Vec<String> = endpoints
        .iter()
        .map(|at| format!("{{address: {}, ports: {{http: {}}}}}", at.ip(), at.port()))
        .collect();
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
         hosts: [{name}.test]\n  resolution: STATIC\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  endpoints: [{}]\n",
        endpoints.join(", ")
    )
}

/// A policy under which the first failure takes an endpoint out for an hour.
fn strict(name: &str, interval: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}}}\nspec:\n  \
         host: {name}.test\n  trafficPolicy:\n    loadBalancer: {{simple: ROUND_ROBIN}}\n    \
         outlierDetection: {{consecutive5xxErrors: 1, baseEjectionTime: 3600s, \
         maxEjectionPercent: 100, interval: {interval}}}\n"
    )
}

/// The line of `/clusters` with this end.
fn told(up: &Up, address: SocketAddr, what: &str) -> String {
    let page = Client::connect(up.address("admin")).get("/clusters", "x", "").body;
    let wanted = format!("::{address}::{what}::");
    let line = page.lines().find(|line| line.contains(&wanted));
    line.unwrap_or_else(|| panic!("no {wanted} in {page}")).rsplit("::").next().unwrap().to_owned()
}

#[test]
fn an_edit_touches_nothing_but_what_it_is_about() {
    let (good, bad) = (Watched::start(), failing());
    let other = service("other");
    let files = [
        ("shop.yaml", entry("shop", &[good.address, bad])),
        ("shop-rule.yaml", strict("shop", "600s")),
        ("other.yaml", entry("other", &[other])),
        ("other-rule.yaml", strict("other", "600s")),
    ];
    let up = Up::start_with(&files, &["--concurrency", "1"]);
    let mesh = up.address("mesh");
    let mut client = Client::connect(mesh);
    // Both endpoints have their turn, and the one that fails has no other.
    let answers: Vec<u16> =
        (0..4).map(|_| client.get("http://shop.test/", "shop.test", "").status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 503).count(), 1, "{answers:?}");
    assert!(told(&up, bad, "health_flags").contains("failed_outlier_check"));
    let counted = told(&up, good.address, "rq_total");
    let connections = good.connections.load(Ordering::SeqCst);
    let mut waiting = Client::connect(mesh);
    waiting.send("http://shop.test/hold", "shop.test", "");

    // An edit about something else, and then one about the very policy.
    for (generation, (name, text)) in (2..).zip([
        ("other-rule.yaml", strict("other", "500s")),
        ("shop-rule.yaml", strict("shop", "500s")),
    ]) {
        up.save(name, &text);
        up.line_with(&format!("generation {generation}:"));
        assert!(told(&up, bad, "health_flags").contains("failed_outlier_check"), "{name}");
        let now: u32 = told(&up, good.address, "rq_total").parse().unwrap();
        assert!(now >= counted.parse().unwrap(), "{name}: counters go on");
        for _ in 0..4 {
            assert_eq!(client.get("http://shop.test/", "shop.test", "").status, 200, "{name}");
        }
    }
    // One connection more, for the request that is still under way.
    assert!(good.connections.load(Ordering::SeqCst) <= connections + 1, "the pool is kept");
    good.release();
    assert_eq!(waiting.answer().body, "good");

    // An endpoint that comes does not bring back the one that is out, nor take anything from the one that is there.
    let newcomer = service("new");
    up.save("shop.yaml", &entry("shop", &[good.address, bad, newcomer]));
    up.line_with("generation 4:");
    assert!(told(&up, bad, "health_flags").contains("failed_outlier_check"));
    let bodies: Vec<String> =
        (0..8).map(|_| client.get("http://shop.test/", "shop.test", "").body).collect();
    for expected in ["good", "new"] {
        assert_eq!(bodies.iter().filter(|body| *body == expected).count(), 4, "{bodies:?}");
    }
}
