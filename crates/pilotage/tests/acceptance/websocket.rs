//! A WebSocket server.

use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Starts a server that sends every message back.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else { return };
                while let Ok(message) = socket.read() {
                    let echo = message.is_text() || message.is_binary();
                    if echo && socket.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
