//! A running mesh: `pilotage up` on fixtures and workloads.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::curl::{Reply, curl};
use crate::harness::{Answer, Client, Up};
use crate::workload::Workload;

/// Long enough for the slowest machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The text of a fixture.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance/fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a mesh begins with.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    files: Vec<(String, String)>,
    arguments: Vec<String>,
    workloads: Vec<&'a Workload>,
    /// What stands for `$NAME` in fixtures.
    values: BTreeMap<String, String>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(workloads: impl IntoIterator<Item = &'a Workload>) -> Self {
        Self { workloads: workloads.into_iter().collect(), ..Self::default() }
    }

    /// Adds a fixture.
    pub(crate) fn with(mut self, name: &str) -> Self {
        self.files.push((name.to_owned(), fixture(name)));
        self
    }

    /// Adds a text under a name.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Puts `value` where fixtures say `$NAME`.
    pub(crate) fn value(mut self, name: &str, value: impl ToString) -> Self {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds arguments to the command.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Starts it, and waits until it serves.
    pub(crate) fn start(self) -> Mesh {
        let logs = tempfile::tempdir().unwrap();
        let log = logs.path().join("access.log");
        let mut mesh_arguments = vec!["--access-log", log.to_str().unwrap()];
        mesh_arguments.extend(self.arguments.iter().map(String::as_str));
        let workloads: Vec<String> = self.workloads.iter().map(|w| w.objects()).collect();
        let files: Vec<(&str, String)> = self
            .files
            .iter()
            .map(|(name, text)| (name.as_str(), fill(text, &self.values)))
            .chain([("workloads.yaml", workloads.concat())])
            .collect();
        let up = Up::start_with(&files, &mesh_arguments);
        let address = up.address("mesh");
        Mesh { up, address, values: self.values, generation: 1, log, _logs: logs }
    }
}

/// Replaces `$NAME`s, longer names first.
fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    values
        .iter()
        .rev()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}

/// A running mesh.
pub(crate) struct Mesh {
    pub(crate) up: Up,
    /// Where workloads send their requests.
    pub(crate) address: SocketAddr,
    values: BTreeMap<String, String>,
    generation: u32,
    log: PathBuf,
    _logs: tempfile::TempDir,
}

impl Mesh {
    /// Replaces a file, and waits until the proxy obeys.
    pub(crate) fn apply(&mut self, name: &str, text: &str) {
        self.up.save(name, &fill(text, &self.values));
        self.obeyed();
    }

    /// Waits for the next generation.
    pub(crate) fn obeyed(&mut self) {
        self.generation += 1;
        self.up.line_with(&format!("generation {}:", self.generation));
    }

    /// Sends a request from inside the mesh with curl.
    pub(crate) fn curl(&self, arguments: &[&str]) -> Reply {
        let proxy = format!("http://{}", self.address);
        curl(&[&["--proxy", &proxy], arguments].concat())
    }

    /// Sends a request from outside with curl, to the gateway's listener for `port`.
    pub(crate) fn at_gateway(&self, port: u16, arguments: &[&str], path: &str) -> Reply {
        let url = format!("http://127.0.0.1:{port}{path}");
        curl(&[arguments, &[&url]].concat())
    }

    /// A connection through the mesh to `target`, as if it had been captured on its way there.
    pub(crate) fn connect(&self, target: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").unwrap();
        let mut stream = BufReader::new(stream);
        assert_eq!(line(&mut stream), "HTTP/1.1 200 OK");
        assert_eq!(line(&mut stream), "");
        stream
    }

    /// A connection into the mesh that is kept.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// The answers to `count` requests over one connection.
    pub(crate) fn ask(&self, count: usize, url: &str, headers: &str) -> Vec<Answer> {
        let mut client = self.client();
        let host = url.trim_start_matches("http://").split('/').next().unwrap();
        (0..count).map(|_| client.get(url, host, headers)).collect()
    }

    /// Waits for a line of the access log with all of `texts`.
    pub(crate) fn logged(&self, texts: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let read = std::fs::read_to_string(&self.log).unwrap_or_default();
            let found = read.lines().find(|line| texts.iter().all(|text| line.contains(text)));
            if let Some(line) = found {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "no line with {texts:?} in the access log:\n{read}");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// What the admin endpoint answers.
    pub(crate) fn admin(&self, path: &str) -> String {
        Client::connect(self.up.address("admin")).get(path, "admin", "").body
    }
}

/// Waits for a condition, for as long as the slowest machine needs.
pub(crate) fn wait_until(otherwise: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{otherwise}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// The next line that comes over a connection, without its end; empty at the end of the stream.
pub(crate) fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    // A reset is an end as well.
    stream.read_line(&mut line).ok();
    line.trim_end().to_owned()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
