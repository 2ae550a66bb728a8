//! A real Envoy as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::wire;

/// How long a start may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Envoy; killed when dropped.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    folder: tempfile::TempDir,
    admin: SocketAddr,
}

/// A bootstrap with these static resources, and admin at any port.
#[must_use]
pub fn bootstrap(listeners: &Value, clusters: &Value) -> Value {
    json!({
        "node": {"id": "differential", "cluster": "differential"},
        "admin": {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}}},
        "staticResources": {"listeners": listeners, "clusters": clusters},
    })
}

impl Envoy {
    /// Starts `program` from `bootstrap`, protobuf-JSON. Listeners may ask for port 0; [`Envoy::listeners`] says what
    /// they got.
    ///
    /// # Errors
    /// When it does not start; with what it said.
    pub fn start(program: &Path, bootstrap: &Value) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("bootstrap.json");
        fs::write(&configuration, bootstrap.to_string())?;
        let admin_path = folder.path().join("admin");
        let child = Command::new(program)
            .arg("--config-path")
            .arg(&configuration)
            .arg("--admin-address-path")
            .arg(&admin_path)
            .args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"])
            .args(["--file-flush-interval-msec", "50"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()?;
        let mut envoy = Self { child, folder, admin: SocketAddr::from(([127, 0, 0, 1], 0)) };
        envoy.wait_until_ready(&admin_path)?;
        Ok(envoy)
    }

    fn wait_until_ready(&mut self, admin_path: &PathBuf) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("envoy ended with {status}: {}", self.log())));
            }
            let written = fs::read_to_string(admin_path).unwrap_or_default();
            if let Ok(address) = written.trim().parse() {
                self.admin = address;
                if self.get("/ready").is_ok_and(|answer| answer.status() == 200) {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(20)); // between two looks
        }
        Err(io::Error::other(format!("envoy is not ready: {}", self.log())))
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.chars().take(2000).collect()
    }

    /// Where the admin endpoint is.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What the admin endpoint says at `path`.
    ///
    /// # Errors
    /// When it says nothing.
    pub fn get(&self, path: &str) -> io::Result<wire::Message> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        wire::ask(self.admin, request.as_bytes())?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The address of each listener, by name.
    ///
    /// # Errors
    /// When the admin endpoint does not answer as expected.
    pub fn listeners(&self) -> io::Result<BTreeMap<String, SocketAddr>> {
        let answer: Value = serde_json::from_slice(&self.get("/listeners?format=json")?.body)?;
        let statuses = answer["listener_statuses"].as_array().cloned().unwrap_or_default();
        Ok(statuses
            .iter()
            .filter_map(|status| {
                let socket = &status["local_address"]["socket_address"];
                let ip = socket["address"].as_str()?.parse().ok()?;
                let port = u16::try_from(socket["port_value"].as_u64()?).ok()?;
                Some((status["name"].as_str()?.to_owned(), SocketAddr::new(ip, port)))
            })
            .collect())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
