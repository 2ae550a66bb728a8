//! Child processes pinned to a core, and what the kernel accounts to them.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// CPU time of a process and its threads so far, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// In user space: the program's own work.
    pub(crate) user_us: u64,
    /// In the kernel on its behalf.
    pub(crate) system_us: u64,
}

/// A child that is killed when it goes out of scope, with its descendants where it has any.
#[derive(Debug)]
pub(crate) struct Pinned {
    child: Child,
}

impl Pinned {
    /// Starts `program` on one core, with output into `log`.
    pub(crate) fn start(core: usize, program: &Path, args: &[&str], log: &Path) -> Result<Self> {
        let out = fs::File::create(log)?;
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child })
    }

    /// The process id. `taskset` replaces itself by the program, so it is the program's.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process and its children: nginx works in a child of the process that was started.
    fn family(&self) -> Vec<u32> {
        let id = self.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let mut all: Vec<u32> =
            children.split_whitespace().filter_map(|c| c.parse().ok()).collect();
        all.push(id);
        all
    }

    /// The process that does the work.
    pub(crate) fn worker(&self) -> u32 {
        self.family().first().copied().unwrap_or(self.id())
    }

    /// CPU time of the whole family.
    pub(crate) fn cpu(&self) -> Result<CpuTime> {
        let mut total = CpuTime::default();
        for id in self.family() {
            let time = cpu_of(id)?;
            total.user_us += time.user_us;
            total.system_us += time.system_us;
        }
        Ok(total)
    }

    /// Resident memory of the whole family, in KiB.
    pub(crate) fn memory_kib(&self) -> Result<u64> {
        let mut total = 0;
        for id in self.family() {
            let status = fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            total += kib.unwrap_or_default();
        }
        Ok(total)
    }

    /// Waits until the process accepts connections on `port`.
    pub(crate) fn wait_for_port(&mut self, port: u16, log: &Path) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("ended with {status}:\n{}", fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("no answer on port {port}:\n{}", fs::read_to_string(log).unwrap_or_default())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for id in self.family() {
            // Whoever is gone already is what we want.
            let _gone = Command::new("kill").arg(id.to_string()).stderr(Stdio::null()).status();
        }
        let _reaped = self.child.wait();
    }
}

/// User and system time from the scheduler's clock, which is exact to the nanosecond where `stat` counts ticks.
fn cpu_of(id: u32) -> Result<CpuTime> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    let (user, system) = (ticks(11), ticks(12));
    let mut exact_ns = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        exact_ns += text.split_whitespace().next().and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    }
    let exact_us = exact_ns / 1_000;
    // The ticks only split the exact sum.
    let user_us = exact_us * user / (user + system).max(1);
    Ok(CpuTime { user_us, system_us: exact_us - user_us })
}

/// A port of the loopback address that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A program: from `.peers/bin` of the checkout, or from `PATH` and the folders for system programs.
pub(crate) fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = std::env::current_dir()?.join(".peers/bin");
    let folders = std::iter::once(own)
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} is not installed; `scripts/peers` does that"))
}

/// A folder that is removed at the end.
#[derive(Debug)]
pub(crate) struct TempFolder(PathBuf);

impl TempFolder {
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("pilotage-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _gone = fs::remove_dir_all(&self.0);
    }
}
