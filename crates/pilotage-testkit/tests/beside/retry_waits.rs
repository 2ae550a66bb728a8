//! How long is waited before an attempt is made again: any part of the interval, which doubles up to its limit.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pilotage_testkit::wire::{self, Reader};
use serde_json::json;

use super::pair::{Pair, Side, cluster, listener};

/// Requests at the same time.
const REQUESTS: usize = 48;
/// The longest waits, for a base of 100 ms and a limit of 300 ms.
const LONGEST: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(300),
];

/// When the attempts of each request arrived.
type Arrivals = Arc<Mutex<BTreeMap<String, Vec<Instant>>>>;

#[test]
fn retries_wait_as_long_as_in_envoy() {
    let arrivals = Arrivals::default();
    let upstream = upstream(Arc::clone(&arrivals));
    let mut up = cluster("up", &[upstream]);
    up["circuitBreakers"] = json!({"thresholds": [{"maxRetries": 1000}]});
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "up", "retryPolicy": {
        "retryOn": "5xx", "numRetries": LONGEST.len(),
        "retryBackOff": {"baseInterval": "0.1s", "maxInterval": "0.3s"},
    }}}]);
    let Some(pair) = Pair::start(&[listener("retried", routes, json!({}))], &[up]) else { return };
    for side in pair.sides() {
        ask(side);
        let arrivals = std::mem::take(&mut *arrivals.lock().unwrap());
        assert_eq!(arrivals.len(), REQUESTS, "{}", side.name);
        for (index, longest) in LONGEST.iter().enumerate() {
            let waits = arrivals.values().map(|times| times[index + 1] - times[index]);
            let waits: Vec<Duration> = waits.collect();
            judge(side.name, index, *longest, &waits);
        }
    }
}

fn judge(name: &str, index: usize, longest: Duration, waits: &[Duration]) {
    let mut sorted = waits.to_vec();
    sorted.sort_unstable();
    let (least, middle) = (sorted[0], sorted[sorted.len() / 2]);
    let told = format!("{name}: retry {index} of {longest:?}: least {least:?}, median {middle:?}");
    // A busy machine makes waits longer, though hardly all of them.
    assert!(least < longest.mul_f64(0.6), "{told}");
    assert!(middle > longest.mul_f64(0.2), "{told}");
}

fn ask(side: &Side) {
    let address = side.listeners["retried"];
    std::thread::scope(|scope| {
        for number in 0..REQUESTS {
            scope.spawn(move || {
                let request = format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n");
                let answer = wire::ask(address, request.as_bytes()).unwrap().unwrap();
                assert_eq!(answer.status(), 503);
            });
        }
    });
}

/// An upstream that answers everything with 503, and notes when it was asked for what.
fn upstream(arrivals: Arrivals) -> SocketAddr {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listening.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listening.incoming().flatten() {
            let arrivals = Arc::clone(&arrivals);
            std::thread::spawn(move || serve(stream, &arrivals));
        }
    });
    address
}

fn serve(stream: TcpStream, arrivals: &Arrivals) -> std::io::Result<()> {
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.message(false)? {
        let now = Instant::now();
        arrivals.lock().unwrap().entry(request.first_line).or_default().push(now);
        reader.get_mut().write_all(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}
