//! Real software that tests run beside ours: Envoy, other proxies, load generators. `scripts/peers` installs it.
//!
//! A machine with only a Rust toolchain has none of it, and the tests pass there: each says what it skipped. With
//! `PILOTAGE_REQUIRE_PEERS=1` a missing peer is a failure, so that nothing is skipped where all should run.

use std::env;
use std::path::{Path, PathBuf};

/// Where the command `name` is, if it is installed.
///
/// `PILOTAGE_ENVOY`, or the like for other names, says it first; then `.peers/bin` of the checkout, then `PATH`, then
/// the directories of system commands, which a plain user's `PATH` may lack.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let variable = format!("PILOTAGE_{}", name.to_uppercase().replace('-', "_"));
    if let Some(told) = env::var_os(variable) {
        return Some(PathBuf::from(told)).filter(|path| is_program(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(crate::root().join(".peers/bin"))
        .chain(env::split_paths(&path))
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| is_program(candidate))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Whether a missing peer is a failure.
#[must_use]
pub fn are_required() -> bool {
    env::var_os("PILOTAGE_REQUIRE_PEERS").is_some_and(|value| value == "1")
}

/// Where the command `name` is; nothing, with a line that says so, when it is missing and the test is to be skipped.
///
/// # Panics
/// When it is missing and peers are required.
#[must_use]
pub fn require(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        missing(name, "scripts/peers installs it");
    }
    found
}

/// Says that this test is skipped for want of `what`.
///
/// # Panics
/// When peers are required.
pub fn missing(what: &str, help: &str) {
    assert!(!are_required(), "{what} is missing, and PILOTAGE_REQUIRE_PEERS=1 wants it; {help}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the capture of the test harness: whoever reads the run should know what it did not do.
    let line = format!("skipped: {test}: {what} is missing; {help}\n");
    let _unseen = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_command_is_found_and_a_missing_one_is_not() {
        assert!(find("sh").is_some_and(|path| path.ends_with("sh")));
        assert_eq!(find("no-such-command-anywhere"), None);
    }
}
