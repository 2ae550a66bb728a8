//! One recorded request as bytes, and what came back in the words of the recording.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use pilotage_testkit::outcome::comparable;
use pilotage_testkit::vectors::Exchange;
use pilotage_testkit::wire::{Message, Reader};
use serde_json::{Map, Value, json};

/// Where clients of gateways come from in the recording.
pub(crate) const OUTSIDE: &str = "198.51.100.7";
/// Headers of the connection rather than of the message, and what differs in each answer.
const NOT_COMPARED: [&str; 7] =
    ["connection", "content-length", "date", "host", "transfer-encoding", "x-length", "x-told"];

/// A request, who sends it and where to.
pub(crate) struct Conversation<'a> {
    pub(crate) client: String,
    /// The client's port, by which the log tells connections apart.
    pub(crate) port: u16,
    pub(crate) destination: SocketAddr,
    pub(crate) exchange: &'a Exchange,
}

/// What the client got.
#[derive(Debug)]
pub(crate) enum Heard {
    /// No listener.
    Refused,
    /// CONNECT led nowhere, which is logged.
    Nowhere,
    /// The connection ended without an answer.
    Closed,
    /// An answer.
    Answer(Message),
}

impl Heard {
    /// Whether the access log has a line of it.
    pub(crate) fn is_logged(&self) -> bool {
        !matches!(self, Self::Refused)
    }
}

impl Conversation<'_> {
    /// Headers that the upstream answers with: some of its own, and those that the case wants to see changed.
    pub(crate) fn upstream_headers(&self) -> Vec<(String, String)> {
        upstream_headers(self.exchange)
    }

    /// Talks to the listener at `address`.
    pub(crate) fn at(&self, address: SocketAddr) -> Heard {
        self.talk(address, "").unwrap_or(Heard::Closed)
    }

    /// Talks to the outbound port at `address`.
    pub(crate) fn through(&self, address: SocketAddr) -> Heard {
        let to = self.destination;
        let connect = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n\r\n");
        self.talk(address, &connect).unwrap_or(Heard::Closed)
    }

    fn talk(&self, address: SocketAddr, connect: &str) -> io::Result<Heard> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let (client, to) = (&self.client, self.destination);
        let introduction =
            format!("PROXY TCP4 {client} {} {} {}\r\n", to.ip(), self.port, to.port());
        let said = format!("{connect}{introduction}{}", request(self.exchange));
        // A proxy that closes early may have answered before.
        stream.write_all(said.as_bytes()).ok();
        if !connect.is_empty() {
            let accepted = head(&mut stream)?;
            if !accepted.is_some_and(|text| text.starts_with("HTTP/1.1 200")) {
                return Ok(Heard::Nowhere);
            }
        }
        let Some(text) = head(&mut stream)? else { return Ok(Heard::Closed) };
        let is_head = self.exchange.request.method.as_deref() == Some("HEAD");
        let text = if is_head { text.replace("content-length", "x-length") } else { text };
        let whole = text.as_bytes().chain(stream);
        let answer = Reader::new(whole).message(!is_head)?;
        Ok(answer.map_or(Heard::Closed, Heard::Answer))
    }
}

/// The next head, with its end; nothing when the stream ends before.
fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        text.extend_from_slice(&byte);
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

fn request(exchange: &Exchange) -> String {
    let request = &exchange.request;
    if request.protocol.as_deref() == Some("tcp") {
        // Neither HTTP nor TLS, and the upstream answers all the same.
        return "bytes\r\n\r\n".into();
    }
    let method = request.method.as_deref().unwrap_or("GET");
    let path = request.path.as_deref().unwrap_or("/");
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    let lines = request.host.iter().map(|host| ("host", host));
    for (name, value) in lines.chain(request.headers.iter().map(|(n, v)| (n.as_str(), v))) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        text.push_str("content-length: 0\r\n");
    }
    text + "\r\n"
}

fn upstream_headers(exchange: &Exchange) -> Vec<(String, String)> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    headers.insert("content-type".into(), "application/json".into());
    headers.insert("server".into(), "echo".into());
    let told = exchange.recorded.get("upstream_response_headers").and_then(Value::as_object);
    for (name, value) in told.into_iter().flatten() {
        headers.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    headers.into_iter().collect()
}

/// What was heard and logged, as an outcome.
pub(crate) fn outcome(
    exchange: &Exchange,
    heard: &Heard,
    line: Option<&BTreeMap<String, Value>>,
) -> Value {
    let Some(line) = line else { return json!({"error": "connection refused", "flags": ""}) };
    let logged = |name: &str| line.get(name).and_then(Value::as_str).filter(|text| *text != "-");
    let flags = logged("response_flags").unwrap_or_default();
    let cluster = logged("upstream_cluster");
    if logged("method").is_none() {
        let by = if flags == "NR" { "listener" } else { "tcp" };
        let details = (by == "listener").then_some("filter_chain_not_found");
        let closed = !matches!(heard, Heard::Answer(_));
        return json!({"handled": by, "flags": flags, "cluster": cluster, "details": details,
            "error": closed.then_some("closed")});
    }
    let Heard::Answer(answer) = heard else {
        return json!({"error": "closed", "handled": "http", "flags": flags,
            "details": logged("response_code_details"), "cluster": cluster});
    };
    let mut outcome = json!({
        "status": answer.status(), "handled": "http", "flags": flags, "cluster": cluster,
        "details": logged("response_code_details"), "route": logged("route_name"),
    });
    match answer.header("x-told") {
        Some(told) => {
            let told: Value = serde_json::from_str(told).unwrap_or_default();
            outcome["upstream_request"] = upstream_request(exchange, &told);
            let before = pairs(&upstream_headers(exchange));
            outcome["response"] = json!({"headers": changes(&before, &pairs(&answer.headers))});
        }
        None => outcome["response"] = local_response(answer),
    }
    outcome
}

fn upstream_request(exchange: &Exchange, told: &Value) -> Value {
    let mut words = told["line"].as_str().unwrap_or_default().split(' ');
    let seen: Vec<(String, String)> =
        serde_json::from_value(told["headers"].clone()).unwrap_or_default();
    let host = seen.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
    let sent: Vec<(String, String)> =
        exchange.request.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    json!({"method": words.next(), "path": words.next(), "host": host,
        "headers": changes(&pairs(&sent), &pairs(&seen))})
}

fn local_response(answer: &Message) -> Value {
    let mut headers = pairs(&answer.headers);
    let location = headers.remove("location").map(|mut values| values.remove(0));
    let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
    json!({"location": location, "body": Some(text).filter(|text| !text.is_empty()),
        "headers": changes(&BTreeMap::new(), &headers)})
}

type Headers = BTreeMap<String, Vec<String>>;

fn pairs(headers: &[(String, String)]) -> Headers {
    let mut by_name = Headers::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if !NOT_COMPARED.contains(&name.as_str()) {
            by_name.entry(name).or_default().push(value.clone());
        }
    }
    by_name
}

/// The headers of `after` that differ from those of `before`: a value, a list of values, or null for a removed one.
fn changes(before: &Headers, after: &Headers) -> Value {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let told = differ.map(|name| {
        let value = match after.get(name).map(Vec::as_slice) {
            None => Value::Null,
            Some([one]) => json!(one),
            Some(several) => json!(several),
        };
        (name.clone(), value)
    });
    Value::Object(told.collect::<Map<_, _>>())
}

/// The parts of an outcome that show on sockets and in the log: not the virtual host. The operation name is for Istio's
/// telemetry; we do not send it.
pub(crate) fn seen_from_outside(outcome: &Value) -> Value {
    let mut outcome = comparable(outcome);
    if let Some(fields) = outcome.as_object_mut() {
        fields.shift_remove("virtual_host");
    }
    for side in ["/upstream_request/headers", "/response/headers"] {
        if let Some(Value::Object(headers)) = outcome.pointer_mut(side) {
            headers.shift_remove("x-envoy-decorator-operation");
        }
    }
    // What is left empty is left out.
    comparable(&outcome)
}
