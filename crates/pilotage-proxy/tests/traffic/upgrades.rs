//! WebSocket: after 101 bytes go both ways, whatever is published meanwhile.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::client::Client;
use super::mesh::{Mesh, Running};
use super::upstream::Upstream;

/// Grants every upgrade and echoes.
pub(crate) fn echo() -> Upstream {
    Upstream::script(|_, conversation| {
        let head = conversation.request().unwrap();
        assert!(head.contains("upgrade: websocket"), "{head}");
        assert!(head.to_lowercase().contains("connection: upgrade"), "{head}");
        conversation.say(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\n\r\n",
        );
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = conversation.0.reader.read(&mut buffer) {
            let stream = conversation.0.reader.get_mut();
            stream.write_all(buffer.get(..count).unwrap()).unwrap();
        }
        conversation.say("bye");
    })
}

/// A WebSocket through the proxy.
pub(crate) fn open(proxy: &Running) -> Client {
    let mut client = Client::connect(proxy.gateway());
    client
        .send("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    let reply = client.head();
    assert_eq!(reply.status, 101);
    assert_eq!(reply.header("upgrade"), Some("websocket"));
    client
}

#[test]
fn bytes_go_both_ways_and_each_side_ends_by_itself() {
    let upstream = echo();
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = open(&proxy);
    for text in ["one", "another"] {
        client.send(text);
        assert_eq!(client.exactly(text.len()), text);
    }
    client.reader.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.exactly(3), "bye");
    assert!(client.closed());
    let log = proxy.finish();
    assert_eq!(log[0]["response_code"], 101);
    assert_eq!(log[0]["bytes_received"], 10);
    assert_eq!(log[0]["bytes_sent"], 13);
}

#[test]
fn an_upgrade_that_is_not_allowed_is_refused() {
    let upstream = echo();
    let proxy = Mesh::simple(&[upstream.address]).start();
    let mut client = Client::connect(proxy.gateway());
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: chess\r\n\r\n");
    assert_eq!(client.reply().status, 403);
    assert_eq!(upstream.connections(), 0);
    proxy.finish();
}
