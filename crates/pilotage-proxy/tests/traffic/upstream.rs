//! Upstreams that a test scripts, one thread per connection.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::client::Client;

/// An upstream that listens until the process ends.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Runs `script` for each connection with its number, counted from 0.
    pub(crate) fn script(
        script: impl Fn(usize, &mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    let reader = std::io::BufReader::new(stream.unwrap());
                    script(number, &mut Conversation(Client { reader }));
                });
            }
        });
        Self { address, connections }
    }

    /// Answers every request with 200 and `body`.
    pub(crate) fn fixed(body: &'static str) -> Self {
        Self::script(move |_, conversation| {
            while conversation.request().is_some() {
                conversation.answer(200, body);
            }
        })
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The upstream's side of one connection.
pub(crate) struct Conversation(pub(crate) Client);

impl Conversation {
    /// The head of the next request, lines joined; `None` when the proxy closed.
    pub(crate) fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let line = self.0.line();
            if line.is_empty() {
                return (!head.is_empty()).then_some(head);
            }
            head.push_str(&line);
            head.push('\n');
        }
    }

    pub(crate) fn answer(&mut self, status: u16, body: &str) {
        self.say(&format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    pub(crate) fn say(&mut self, text: &str) {
        // The proxy may have gone: then the test sees it on its own side.
        self.0.reader.get_mut().write_all(text.as_bytes()).ok();
    }
}

/// An address that nothing listens on, and nobody will: a socket holds the port to the end, without listening.
pub(crate) fn nowhere() -> SocketAddr {
    use socket2::{Domain, Socket, Type};

    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}
