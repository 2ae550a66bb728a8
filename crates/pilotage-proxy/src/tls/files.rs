//! Certificate files on disk, as last read.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// What a file held, or why it cannot be read.
pub(super) type Content = Result<Arc<[u8]>, String>;

/// The files that certificates are read from. They are read once, and again when they changed.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<Arc<str>, File>);

#[derive(Debug)]
struct File {
    stamp: Option<Stamp>,
    content: Content,
}

/// What tells that a file has changed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    identity: u64,
}

impl Files {
    /// What the file at `path` held when it was last looked at. Reads it when nobody has asked for it before.
    pub(super) fn content(&mut self, path: &Arc<str>) -> Content {
        let file = self.0.entry(Arc::clone(path)).or_insert_with(|| File::read(path));
        file.content.clone()
    }

    /// Looks at all files; returns those that changed.
    pub(super) fn refresh(&mut self) -> Vec<Arc<str>> {
        let mut changed = Vec::new();
        for (path, file) in &mut self.0 {
            if stamp(path) == file.stamp {
                continue;
            }
            let now = File::read(path);
            if now.content != file.content {
                changed.push(Arc::clone(path));
            }
            *file = now;
        }
        changed
    }

    /// Whether there is any file.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl File {
    fn read(path: &str) -> Self {
        // Before the content: what is written meanwhile is found with the next look.
        let stamp = stamp(path);
        let content = fs::read(path).map(Arc::from).map_err(|error| reason(&error));
        Self { stamp, content }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

fn stamp(path: &str) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        identity: identity(&metadata),
    })
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.ino()
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> u64 {
    0
}
