//! Running the binary, and folders to run it on.

#![expect(clippy::expect_used, reason = "a test that cannot run has failed")]

use std::path::PathBuf;
use std::process::Command;

/// What a run left behind.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary under test.
pub(crate) fn pilotage(arguments: &[&str]) -> Done {
    let output = Command::new(env!("CARGO_BIN_EXE_pilotage"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary under test runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    Done {
        code: output.status.code().expect("the binary ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A temporary folder.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().expect("a plain path")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("a writable folder");
    }
}
