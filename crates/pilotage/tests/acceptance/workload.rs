//! Workloads on loopback: services of HTTP that answer as a test tells them, and remember what they were asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as a workload got it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether the client showed a certificate.
    pub(crate) authenticated: bool,
}

impl Request {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// What a workload answers.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Response {
    /// 200 with this body.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: String::new(), body: body.into() }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// A running workload.
#[derive(Debug)]
pub(crate) struct Workload {
    /// The service that it belongs to.
    app: &'static str,
    version: &'static str,
    /// What the service calls its port.
    port: &'static str,
    /// Further labels as they stand in YAML, each with a comma before.
    labels: String,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Workload {
    /// One that answers each request with its version.
    pub(crate) fn new(app: &'static str, version: &'static str) -> Self {
        Self::with(app, version, move |_| Response::ok(version))
    }

    /// One that answers as `answer` says.
    pub(crate) fn with(
        app: &'static str,
        version: &'static str,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::start(app, version, None, answer)
    }

    /// The same over TLS, with a certificate of its own.
    pub(crate) fn tls(
        app: &'static str,
        version: &'static str,
        tls: Arc<ServerConfig>,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::start(app, version, Some(tls), answer)
    }

    /// One that speaks HTTP/1 and HTTP/2, and answers with the version that it is asked in.
    pub(crate) fn either(app: &'static str, version: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let heard = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&heard);
                thread::spawn(move || {
                    let mut first = [0];
                    // The preface of HTTP/2 is the only beginning of that letter which is asked for here.
                    match stream.peek(&mut first) {
                        Ok(1) if first == *b"P" => serve_http2(stream),
                        _ => serve(stream, false, &heard, &|_| Response::ok("HTTP/1.1")),
                    }
                });
            }
        });
        Self { app, version, port: "http", labels: String::new(), address, seen }
    }

    fn start(
        app: &'static str,
        version: &'static str,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, heard, tls) = (Arc::clone(&answer), Arc::clone(&heard), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, false, &heard, &*answer),
                    Some(tls) => serve_tls(stream, tls, &heard, &*answer),
                });
            }
        });
        Self { app, version, port: "http", labels: String::new(), address, seen }
    }

    /// One that something else runs, at this address.
    pub(crate) fn at(app: &'static str, version: &'static str, address: SocketAddr) -> Self {
        Self { app, version, port: "http", labels: String::new(), address, seen: Arc::default() }
    }

    /// Names its port as the service does.
    pub(crate) fn port(self, port: &'static str) -> Self {
        Self { port, ..self }
    }

    /// Adds a label.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push_str(&format!(", {name}: {value}"));
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the requests that came since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Its Pod and EndpointSlice.
    pub(crate) fn objects(&self) -> String {
        let Self { app, version, port, labels, address, .. } = self;
        let (ip, number) = (address.ip(), address.port());
        format!(
            "---\napiVersion: v1\nkind: Pod\n\
             metadata: {{name: {app}-{version}, labels: {{app: {app}, version: {version}{labels}}}}}\n\
             status: {{podIP: {ip}}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {app}-{version}, labels: {{kubernetes.io/service-name: {app}}}}}\n\
             addressType: IPv4\nports: [{{name: \"{port}\", port: {number}}}]\n\
             endpoints: [{{addresses: [{ip}], targetRef: {{kind: Pod, name: {app}-{version}, namespace: default}}}}]\n"
        )
    }
}

fn serve_tls(
    mut stream: TcpStream,
    tls: Arc<ServerConfig>,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Response,
) {
    let mut session = ServerConnection::new(tls).unwrap();
    if session.complete_io(&mut stream).is_ok() {
        let authenticated = session.peer_certificates().is_some();
        serve(StreamOwned::new(session, stream), authenticated, seen, answer);
    }
}

fn serve(
    stream: impl Read + Write,
    authenticated: bool,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Response,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let request = Request { authenticated, ..request };
        seen.lock().unwrap().push(request.clone());
        let Response { status, headers, body } = answer(&request);
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        let writer = stream.get_mut();
        if writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

fn serve_http2(stream: TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let body = format!("{:?}", request.version());
            // Errors say that the proxy is gone.
            let Ok(mut stream) = respond.send_response(http::Response::default(), false) else {
                return;
            };
            stream.send_data(body.into(), true).ok();
        }
    });
}

/// The next request, with its body if its length is given.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let length = reader.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, ..Request::default() };
    let length = request.header("content-length").parse().unwrap_or_default();
    reader.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
