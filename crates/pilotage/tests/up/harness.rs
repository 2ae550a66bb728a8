//! Running the real binary, and services and clients around it, over real sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// Long enough for the slowest machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `pilotage up` over a temporary folder.
pub(crate) struct Up {
    pub(crate) folder: tempfile::TempDir,
    child: Child,
    lines: Receiver<String>,
    /// Everything it printed until it served, and the addresses in there.
    banner: Vec<String>,
}

impl Up {
    /// Starts with these files, and waits until it serves.
    pub(crate) fn start(files: &[(&str, String)]) -> Self {
        Self::start_with(files, &[])
    }

    /// The same, with further arguments.
    pub(crate) fn start_with(files: &[(&str, String)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut child = command(&["up"])
            .arg(folder.path())
            .args([
                "--outbound-port",
                "0",
                "--admin-port",
                "0",
                "--metrics-port",
                "0",
                "--ready-port",
                "0",
            ])
            .args(arguments)
            .stdout(Stdio::piped())
            // What is wrong with the files is told there; tests look at what becomes of requests.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let mut up = Self { folder, child, lines, banner: Vec::new() };
        loop {
            let line = up.line();
            let serves = line.contains("generation 1:");
            up.banner.push(line);
            if serves {
                return up;
            }
        }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("pilotage printed nothing more")
    }

    /// Waits for a line with this text.
    pub(crate) fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The URL that the banner gives for `what`.
    pub(crate) fn url(&self, what: &str) -> &str {
        let row = self.banner.iter().find(|line| line.trim_start().starts_with(what));
        let row = row.unwrap_or_else(|| panic!("no {what} in {:?}", self.banner));
        row.split_whitespace().nth(1).unwrap()
    }

    /// The address that the banner gives for `what`.
    pub(crate) fn address(&self, what: &str) -> SocketAddr {
        self.url(what).split_once("://").unwrap().1.parse().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Saves as editors do: all or nothing.
    pub(crate) fn save(&self, name: &str, text: &str) {
        std::fs::write(self.path("saved"), text).unwrap();
        std::fs::rename(self.path("saved"), self.path(name)).unwrap();
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for the process to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The binary with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilotage"));
    command.args(arguments);
    command
}

/// Starts a service that answers every request with its name, and returns where it is.
pub(crate) fn service(name: &'static str) -> SocketAddr {
    serve(move |stream| {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
        stream.write_all(answer.as_bytes()).is_ok()
    })
}

/// Starts a service that calls `answer` after the head of each request, for as long as that returns `true`.
pub(crate) fn serve(
    answer: impl FnMut(&mut TcpStream) -> bool + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut answer = answer.clone();
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut reader = BufReader::new(stream);
                while head(&mut reader).is_some() && answer(&mut writer) {}
            });
        }
    });
    address
}

/// An answer of HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A client with one connection, which it keeps.
pub(crate) struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let writer = TcpStream::connect(address).unwrap();
        writer.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(writer.try_clone().unwrap());
        Self { writer, reader }
    }

    /// Sends a request with these further header lines.
    pub(crate) fn send(&mut self, target: &str, host: &str, headers: &str) {
        // In one piece: several would wait for each other's acknowledgement.
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        self.writer.write_all(request.as_bytes()).unwrap();
    }

    /// The head of the next answer: its status and its header lines.
    pub(crate) fn head(&mut self) -> (u16, Vec<String>) {
        let lines = head(&mut self.reader).expect("the connection was closed without an answer");
        let status = lines.first().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        (status, lines)
    }

    /// The next answer, which says how long it is.
    pub(crate) fn answer(&mut self) -> Answer {
        let (status, lines) = self.head();
        let length = lines.iter().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.reader.read_exact(&mut body).unwrap();
        Answer { status, body: String::from_utf8(body).unwrap() }
    }

    /// The next chunk of an answer in chunks; empty for the last one.
    pub(crate) fn chunk(&mut self) -> String {
        let mut size = String::new();
        self.reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        String::from_utf8(chunk).unwrap()
    }

    /// Sends a request and takes its answer.
    pub(crate) fn get(&mut self, target: &str, host: &str, headers: &str) -> Answer {
        self.send(target, host, headers);
        self.answer()
    }
}

/// The lines of a head, or nothing when the connection ended.
fn head(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// The objects that make `addresses` the versions `v1`, `v2`… of the service `reviews`.
pub(crate) fn reviews_at(addresses: &[SocketAddr]) -> String {
    let mut yaml = String::from(
        "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n\
         spec: {clusterIP: 10.96.0.9, selector: {app: reviews}, ports: [{name: http, port: 9080}]}\n",
    );
    let mut subsets = String::new();
    for (number, address) in (1..).zip(addresses) {
        let (ip, port) = (address.ip(), address.port());
        yaml.push_str(&format!(
            "---\napiVersion: v1\nkind: Pod\n\
             metadata: {{name: reviews-v{number}, labels: {{app: reviews, version: v{number}}}}}\n\
             status: {{podIP: {ip}}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: reviews-v{number}, labels: {{kubernetes.io/service-name: reviews}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {port}}}]\n\
             endpoints: [{{addresses: [{ip}], targetRef: {{kind: Pod, name: reviews-v{number}, namespace: default}}}}]\n"
        ));
        subsets.push_str(&format!("{{name: v{number}, labels: {{version: v{number}}}}}, "));
    }
    yaml.push_str(&format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: reviews}}\n\
         spec: {{host: reviews, subsets: [{subsets}]}}\n"
    ));
    yaml
}

/// Rules for `reviews` with these weights.
pub(crate) fn weights(v1: u32, v2: u32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: reviews}}\nspec:\n  \
         hosts: [reviews]\n  http:\n  - route:\n    - destination: {{host: reviews, subset: v1}}\n      \
         weight: {v1}\n    - destination: {{host: reviews, subset: v2}}\n      weight: {v2}\n"
    )
}

/// Whether `path` holds `text`.
pub(crate) fn holds(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|found| found.contains(text))
}
