//! The proxies under test and the upstream behind all of them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use crate::configs::Features;
use crate::process::{self, Pinned};
use crate::{OTHER_CORE, PROXY_CORE, configs};

/// A proxy under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Envoy with the same routes as static resources.
    Envoy,
    /// HAProxy with one ACL per route.
    Haproxy,
    /// nginx with one `server` per host and one `location` per route.
    Nginx,
    /// Pilotage on a folder of VirtualServices.
    Pilotage,
    /// Envoy with [`configs::Features::Full`].
    EnvoyFull,
    /// Pilotage with [`configs::Features::Full`].
    PilotageFull,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Envoy,
        Self::Haproxy,
        Self::Nginx,
        Self::Pilotage,
        Self::EnvoyFull,
        Self::PilotageFull,
    ];

    /// What it is compared with: Envoy with the same features.
    pub(crate) fn reference(self) -> Self {
        match self.features() {
            Features::Bare => Self::Envoy,
            Features::Full => Self::EnvoyFull,
        }
    }

    fn features(self) -> Features {
        match self {
            Self::Envoy | Self::Haproxy | Self::Nginx | Self::Pilotage => Features::Bare,
            Self::EnvoyFull | Self::PilotageFull => Features::Full,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Envoy => "envoy",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Pilotage => "pilotage",
            Self::EnvoyFull => "envoy-full",
            Self::PilotageFull => "pilotage-full",
        })
    }
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    /// Where it takes HTTP/1.1.
    pub(crate) port: u16,
    /// Where it takes HTTP/2 with prior knowledge; for most the same.
    pub(crate) h2_port: u16,
    process: Pinned,
}

impl Proxy {
    pub(crate) fn start(kind: Kind, upstream: u16, folder: &Path, pilotage: &Path) -> Result<Self> {
        let port = process::free_port()?;
        let h2_port = if kind == Kind::Haproxy { process::free_port()? } else { port };
        let log = folder.join(format!("{kind}.log"));
        let file = |name: &str, text: String| -> Result<String> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let start =
            |program: PathBuf, args: &[&str]| Pinned::start(PROXY_CORE, &program, args, &log);
        let mut process = match kind {
            Kind::Envoy | Kind::EnvoyFull => {
                let text = configs::envoy(kind.features(), port, upstream);
                let config = file(&format!("{kind}.json"), text)?;
                let args = [
                    "-c",
                    &config,
                    "--concurrency",
                    "1",
                    "--log-level",
                    "warn",
                    "--use-dynamic-base-id",
                ];
                start(process::find("envoy")?, &args)?
            }
            Kind::Haproxy => {
                let map = file("haproxy.map", configs::haproxy_map())?;
                let text = configs::haproxy(port, h2_port, upstream, Path::new(&map));
                let config = file("haproxy.cfg", text)?;
                start(process::find("haproxy")?, &["-db", "-f", &config])?
            }
            Kind::Nginx => {
                let text = configs::nginx(port, upstream, &folder.join("nginx.pid"));
                let config = file("nginx.conf", text)?;
                start(process::find("nginx")?, &["-c", &config])?
            }
            Kind::Pilotage | Kind::PilotageFull => {
                // In a folder of its own: Pilotage looks up when something is written beside what it watches.
                let mesh = folder.join(kind.to_string()).join("mesh");
                fs::create_dir_all(&mesh)?;
                let text = configs::mesh(kind.features(), port, upstream);
                fs::write(mesh.join("mesh.yaml"), text)?;
                let mesh = mesh.display().to_string();
                let ports = [
                    "--outbound-port",
                    "0",
                    "--admin-port",
                    "0",
                    "--metrics-port",
                    "0",
                    "--ready-port",
                    "0",
                ];
                let args: Vec<&str> = ["up", &mesh].into_iter().chain(ports).collect();
                start(fs::canonicalize(pilotage)?, &args)?
            }
        };
        process.wait_for_port(port, &log)?;
        Ok(Self { kind, port, h2_port, process })
    }

    /// What the kernel accounts to it.
    pub(crate) fn cpu(&self) -> Result<process::CpuTime> {
        self.process.cpu()
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        self.process.memory_kib()
    }

    /// The process whose system calls count.
    pub(crate) fn worker(&self) -> u32 {
        self.process.worker()
    }
}

/// The server behind the proxies.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) port: u16,
    _process: Pinned,
}

/// Starts the upstream: nginx, answering from memory, on the other core.
pub(crate) fn upstream(folder: &Path) -> Result<Upstream> {
    let port = process::free_port()?;
    let config = folder.join("upstream.conf");
    fs::write(&config, configs::upstream(port, &folder.join("upstream.pid")))?;
    let log = folder.join("upstream.log");
    let args = ["-c", &config.display().to_string()];
    let mut process = Pinned::start(OTHER_CORE, &process::find("nginx")?, &args, &log)?;
    process.wait_for_port(port, &log)?;
    Ok(Upstream { port, _process: process })
}
