//! Being told about changes below the given paths.
//!
//! Every folder is watched by itself, and again whenever another folder took its name, so that a `git checkout` or a
//! swapped symbolic link is followed like any other change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::settle::is_relevant;

/// What wakes the file source.
#[derive(Debug)]
pub enum Signal {
    /// Something happened to a file or folder.
    Changed(notify::Event),
    /// Events were lost: look at everything.
    Lost,
    /// Stop.
    Stop,
}

/// The watched folders.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// Each watched folder and what it was then, because a name may come to mean another folder.
    folders: BTreeMap<PathBuf, FolderId>,
    /// Folders that are in use still, during a look.
    entered: BTreeSet<PathBuf>,
    /// Why some folder is not watched.
    failure: Option<notify::Error>,
}

type FolderId = (u64, u64);

impl Watch {
    /// A watch on nothing yet, which reports to `signals`.
    #[must_use]
    pub fn new(signals: Sender<Signal>) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            let signal = match event {
                Ok(event) if event.need_rescan() => Signal::Lost,
                Ok(event) if is_relevant(&event) => Signal::Changed(event),
                Ok(_) => return,
                Err(_) => Signal::Lost,
            };
            // When nobody listens any more, the source has stopped.
            signals.send(signal).ok();
        };
        let (watcher, failure) = match notify::recommended_watcher(handler) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        Self { watcher, folders: BTreeMap::new(), entered: BTreeSet::new(), failure }
    }

    /// Makes sure that `folder` is watched, before its entries are read.
    pub fn enter(&mut self, folder: &Path) {
        if !self.entered.insert(folder.to_owned()) {
            return;
        }
        let Some(id) = folder_id(folder) else { return };
        let known = self.folders.get(folder);
        if known == Some(&id) {
            return;
        }
        let replaced = known.is_some();
        let Some(watcher) = &mut self.watcher else { return };
        if replaced {
            // The old folder may be gone, and its watch with it.
            watcher.unwatch(folder).ok();
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.folders.insert(folder.to_owned(), id);
            }
            Err(error) => {
                self.folders.remove(folder);
                self.failure = Some(error);
            }
        }
    }

    /// Ends a look: folders that were not entered are watched no more. Returns why the watch is incomplete, if it is;
    /// changes have to be looked for from time to time then.
    pub fn finish(&mut self) -> Option<notify::Error> {
        let entered = std::mem::take(&mut self.entered);
        let left: Vec<PathBuf> =
            self.folders.keys().filter(|folder| !entered.contains(*folder)).cloned().collect();
        for folder in left {
            self.folders.remove(&folder);
            if let Some(watcher) = &mut self.watcher {
                watcher.unwatch(&folder).ok();
            }
        }
        self.failure.take()
    }
}

#[cfg(unix)]
fn folder_id(folder: &Path) -> Option<FolderId> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn folder_id(folder: &Path) -> Option<FolderId> {
    fs::metadata(folder).ok().map(|_| (0, 0))
}
