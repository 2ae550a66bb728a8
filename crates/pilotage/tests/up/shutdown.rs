//! SIGTERM ends the process in order.

use std::io::Write as _;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use crate::harness::{Client, Up, reviews_at, serve};

#[test]
fn what_is_under_way_is_answered_before_the_end() {
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun, started) = mpsc::channel();
    let wait = Arc::new(Mutex::new(wait));
    let slow = serve(move |stream| {
        // The test's end frees a service that waits.
        begun.send(()).is_ok()
            && wait.lock().unwrap().recv().is_ok()
            && write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate").is_ok()
    });
    let mut up = Up::start(&[("services.yaml", reviews_at(&[slow]))]);
    let mut client = Client::connect(up.address("mesh"));
    client.send("http://reviews:9080/", "reviews:9080", "");
    started.recv().unwrap();
    up.terminate();
    up.line_with("ending");
    go_on.send(()).unwrap();
    assert_eq!(client.answer().body, "late");
    assert_eq!(up.ended().code(), Some(0));
}
