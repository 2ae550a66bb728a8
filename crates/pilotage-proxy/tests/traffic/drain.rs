//! The end: what has begun is finished, nothing new begins, and there is one deadline.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::client::Client;
use super::mesh::Mesh;
use super::upgrades;
use super::upstream::Upstream;

#[test]
fn a_request_in_flight_is_finished_and_idle_connections_close() {
    let (entered, wait_entered) = channel();
    let (release, wait_release) = channel::<()>();
    let wait_release = Mutex::new(wait_release);
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        entered.send(()).unwrap();
        wait_release.lock().unwrap().recv().unwrap();
        conversation.answer(200, "finished");
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let address = proxy.gateway();
    let mut busy = Client::connect(address);
    busy.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_entered.recv().unwrap();
    let mut silent = Client::connect(address);
    let mut idle = Client::connect(address);
    assert_eq!(idle.get_nothing(), 404);
    let ended = std::thread::spawn(move || proxy.finish());
    assert!(idle.closed());
    assert!(silent.closed());
    assert!(std::net::TcpStream::connect(address).is_err());
    release.send(()).unwrap();
    let reply = busy.reply();
    assert_eq!((reply.status, reply.body.as_str()), (200, "finished"));
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(busy.closed());
    let log = ended.join().unwrap();
    assert_eq!(log.len(), 2);
}

#[test]
fn after_the_deadline_tunnels_are_closed() {
    let upstream = upgrades::echo();
    let proxy = Mesh::simple(&[upstream.address])
        .start_with(|config| config.drain_deadline = Duration::from_millis(20));
    let mut socket = upgrades::open(&proxy);
    socket.send("x");
    assert_eq!(socket.exactly(1), "x");
    proxy.finish();
    assert!(socket.closed());
}

impl Client {
    /// A request that no route takes, so that no upstream is asked.
    fn get_nothing(&mut self) -> u16 {
        self.send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
        self.reply().status
    }
}
