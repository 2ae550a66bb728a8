//! Limits on clients that speak HTTP/2, and what becomes of those that wait to be told to go on or give up. What is
//! compared is which frames answer each of a client's, how the connection ends, and what is logged.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::pair::{Pair, Side, cluster, listener, log_of_outcomes, serving};

/// A bound for hung tests only.
const PATIENCE: Duration = Duration::from_secs(20);
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// What a client says.
#[derive(Clone, Copy, Debug)]
enum Say {
    /// A request with so many headers besides those that begin with a colon, and waits for its answer.
    Get(u32, usize),
    /// The same with so many cookies, each a header of its own.
    Cookies(u32, usize),
    /// The head of a request to this path whose client waits before it sends the body, and waits for a head.
    Ask(u32, &'static str),
    /// The head of a request whose body may come later.
    Open(u32),
    /// The body of such a request, and waits for the rest of the answer.
    Body(u32),
    /// Gives up a stream.
    Reset(u32),
    /// Nothing more, and waits for the connection to end.
    Wait,
}

const CONVERSATIONS: [(&str, &[Say]); 14] = [
    ("idle", &[Say::Wait]),
    ("idle", &[Say::Get(1, 0), Say::Get(3, 0), Say::Wait]),
    ("aged", &[Say::Wait]),
    ("aged", &[Say::Get(1, 0), Say::Wait]),
    ("counted", &[Say::Get(1, 0), Say::Get(3, 0), Say::Wait]),
    ("few", &[Say::Get(1, 2), Say::Get(3, 3), Say::Get(5, 2)]),
    ("plain", &[Say::Get(1, 96), Say::Get(3, 97), Say::Get(5, 200)]),
    ("plain", &[Say::Cookies(1, 96), Say::Cookies(3, 97)]),
    ("plain", &[Say::Ask(1, "/told"), Say::Body(1)]),
    ("plain", &[Say::Ask(1, "/refused"), Say::Body(1)]),
    ("asking", &[Say::Ask(1, "/told"), Say::Body(1)]),
    ("asking", &[Say::Ask(1, "/refused")]),
    ("asking", &[Say::Ask(1, "/d")]),
    ("plain", &[Say::Open(1), Say::Reset(1), Say::Get(3, 0)]),
];
/// Requests in those conversations.
const LINES: usize = 20;

#[test]
fn http2_clients_meet_the_same_limits_as_in_envoy() {
    let upstream = serving(serve);
    let Some(pair) = Pair::start(&listeners(), &[cluster("up", &[upstream])]) else { return };
    let [theirs, ours] = pair.sides().map(|side| {
        let told: Vec<_> = CONVERSATIONS
            .iter()
            .map(|(name, says)| Client::connect(side, name).talk(says))
            .collect();
        let logged: BTreeSet<_> = side.log(LINES).into_iter().collect();
        (told, logged)
    });
    for (index, (name, says)) in CONVERSATIONS.iter().enumerate() {
        assert_eq!(theirs.0[index], ours.0[index], "{name} {says:?}: Envoy, we");
    }
    assert_eq!(theirs.1, ours.1, "what is logged");
    assert_eq!(ours.0[6], ["1: head, end", "3: reset 2", "5: reset 2"]);
}

fn listeners() -> Vec<Value> {
    let common =
        |fields: Value| json!({"commonHttpProtocolOptions": fields, "drainTimeout": "0.1s"});
    let listeners = [
        ("plain", json!({})),
        ("idle", common(json!({"idleTimeout": "0.3s"}))),
        ("aged", common(json!({"maxConnectionDuration": "0.3s"}))),
        ("counted", common(json!({"maxRequestsPerConnection": 2}))),
        ("few", common(json!({"maxHeadersCount": 6}))),
        ("asking", json!({"proxy100Continue": true})),
    ];
    let listener = |(name, mut more): (&str, Value)| {
        more["delayedCloseTimeout"] = json!("0.1s");
        more["accessLog"] = log_of_outcomes();
        let hi = json!({"status": 200, "body": {"inlineString": "hi"}});
        let routes = json!([
            {"match": {"prefix": "/d"}, "directResponse": hi},
            {"match": {"prefix": "/"}, "route": {"cluster": "up"}},
        ]);
        listener(name, routes, more)
    };
    listeners.into_iter().map(listener).collect()
}

/// Refuses, or tells the client to go on and answers when it has the body.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut text, mut piece, mut told) = (String::new(), [0; 4096], false);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let asks = head.to_lowercase().contains("\r\nexpect: 100-continue");
        if head.contains("/refused") && (asks || body == "hello") {
            stream.write_all(b"HTTP/1.1 417 No\r\ncontent-length: 2\r\n\r\nno")?;
            text.clear();
        } else if body == "hello" {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")?;
            text.clear();
        } else if asks && !std::mem::replace(&mut told, true) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
    }
}

/// A client that writes its frames by hand.
struct Client {
    stream: TcpStream,
    goaway: Option<(u32, u32)>,
}

impl Client {
    fn connect(side: &Side, listener: &str) -> Self {
        let mut stream = TcpStream::connect(side.listeners[listener]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut client = Self { stream, goaway: None };
        client.write(SETTINGS, 0, 0, &[]);
        client
    }

    /// What comes of each thing said.
    fn talk(mut self, says: &[Say]) -> Vec<String> {
        says.iter().map(|say| self.say(*say)).collect()
    }

    fn say(&mut self, say: Say) -> String {
        match say {
            Say::Get(stream, count) => {
                let more: Vec<_> = (0..count).map(|i| (format!("x-{i}"), "1")).collect();
                self.head(stream, "GET", "/d", &more, END_STREAM);
                self.hear(stream, |heard| heard.ended)
            }
            Say::Cookies(stream, count) => {
                let more = vec![("cookie".to_owned(), "a=b"); count];
                self.head(stream, "GET", "/d", &more, END_STREAM);
                self.hear(stream, |heard| heard.ended)
            }
            Say::Ask(stream, path) => {
                let more =
                    [("expect".to_owned(), "100-continue"), ("content-length".to_owned(), "5")];
                self.head(stream, "POST", path, &more, 0);
                self.hear(stream, |heard| heard.heads > 0)
            }
            Say::Open(stream) => {
                let more = [("content-length".to_owned(), "5")];
                self.head(stream, "POST", "/told", &more, 0);
                String::new()
            }
            Say::Body(stream) => {
                self.write(DATA, END_STREAM, stream, b"hello");
                self.hear(stream, |heard| heard.ended)
            }
            Say::Reset(stream) => {
                self.write(RESET, 0, stream, &8_u32.to_be_bytes());
                String::new()
            }
            Say::Wait => {
                while self.read().is_some() {}
                format!("{:?}", self.goaway)
            }
        }
    }

    fn head(&mut self, id: u32, method: &str, path: &str, more: &[(String, &str)], flags: u8) {
        let fixed =
            [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)];
        let more = more.iter().map(|(name, value)| (name.as_str(), *value));
        let block: Vec<u8> = fixed.into_iter().chain(more).flat_map(literal).collect();
        self.write(HEADERS, flags | END_HEADERS, id, &block);
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload].concat()).unwrap();
    }

    /// The next frame: kind, flags, stream, and what it carries. Nothing when the connection has ended.
    fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        let mut payload = vec![0; number(&head[..3]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => self.write(SETTINGS, ACK, 0, &[]),
            (GOAWAY, _) => self.goaway = Some((number(&payload[..4]), number(&payload[4..8]))),
            _ => {}
        }
        Some((head[3], head[4], number(&head[5..]), payload))
    }

    fn hear(&mut self, stream: u32, enough: impl Fn(&Heard) -> bool) -> String {
        let mut heard = Heard::default();
        while !enough(&heard) && !heard.ended {
            let (kind, flags, id, payload) = self.read().unwrap();
            if id != stream {
                continue;
            }
            match kind {
                HEADERS => heard.heads += 1,
                RESET => heard.reset = payload.last().copied(),
                _ => {}
            }
            heard.ended =
                heard.reset.is_some() || matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        }
        let mut words = vec!["head"; heard.heads].join(", ");
        match heard.reset {
            Some(reason) => words.push_str(&format!("reset {reason}")),
            // Some send the end with the last bytes, some after them.
            None if heard.ended => words.push_str(", end"),
            None => {}
        }
        format!("{stream}: {words}")
    }
}

/// What has been heard on a stream.
#[derive(Default)]
struct Heard {
    heads: usize,
    reset: Option<u8>,
    ended: bool,
}

/// A header as HPACK has it when nothing is shortened or remembered.
fn literal((name, value): (&str, &str)) -> Vec<u8> {
    let sized = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [&[0], &sized(name)[..], &sized(value)].concat()
}
