//! Upstreams that a test scripts, one thread per connection.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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

/// A listening socket whose queue is full: connections to it are neither taken nor refused.
pub(crate) struct Silent {
    pub(crate) address: SocketAddr,
    _listener: socket2::Socket,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    /// At this port of an address that nothing else uses.
    pub(crate) fn at(port: u16) -> Self {
        use socket2::{Domain, Socket, Type};

        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 78], port));
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let waiting: Vec<_> = std::iter::from_fn(connect).take(64).collect();
        assert!(waiting.len() < 64, "the queue never fills");
        Self { address, _listener: listener, _waiting: waiting }
    }
}
