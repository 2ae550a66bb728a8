//! Bodies stream in both directions: each side sees a part before the next is sent.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::client::Client;
use super::mesh::Mesh;
use super::upstream::Upstream;

#[test]
fn an_answer_arrives_part_by_part() {
    let (seen, wait_seen) = channel::<()>();
    let wait_seen = Mutex::new(wait_seen);
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        conversation.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
        wait_seen.lock().unwrap().recv().unwrap();
        conversation.say("3\r\ntwo\r\n0\r\n\r\n");
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), "one");
    seen.send(()).unwrap();
    assert_eq!(client.chunk().unwrap(), "two");
    assert_eq!(client.chunk(), None);
    let log = proxy.finish();
    assert_eq!(log[0]["bytes_sent"], 6);
}

#[test]
fn an_upload_arrives_part_by_part() {
    let (seen, wait_seen) = channel();
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        for part in ["one", "two"] {
            assert_eq!(conversation.0.chunk().unwrap(), part);
            seen.send(()).unwrap();
        }
        assert_eq!(conversation.0.chunk(), None);
        conversation.answer(200, "thanks");
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    wait_seen.recv().unwrap();
    client.send("3\r\ntwo\r\n");
    wait_seen.recv().unwrap();
    client.send("0\r\n\r\n");
    assert_eq!(client.reply().body, "thanks");
    let log = proxy.finish();
    assert_eq!(log[0]["bytes_received"], 6);
}

#[test]
fn an_answer_may_come_before_the_upload_ends() {
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        conversation.answer(413, "too much");
        conversation.request();
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\npart");
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (413, "too much"));
    proxy.finish();
}

#[test]
fn a_client_that_leaves_is_noted_and_the_upstream_told() {
    let (left, wait_left) = channel();
    let upstream = Upstream::script(move |_, conversation| {
        conversation.request();
        conversation.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
        // Ends when the proxy gives the connection up.
        assert_eq!(conversation.request(), None);
        left.send(()).unwrap();
    });
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    drop(client);
    wait_left.recv().unwrap();
    let log = proxy.finish();
    assert_eq!(log[0]["response_flags"], "DC");
    assert_eq!(log[0]["response_code_details"], "downstream_remote_disconnect");
}
