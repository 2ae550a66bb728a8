//! Folders and files as a source of configuration, watched.
//!
//! A save, an editor's rename, a `git checkout` of the folder, the link swap of a mounted ConfigMap: each becomes one
//! batch, some 20 ms after its last change. The parts: [`tree`] knows what the files held and finds what changed,
//! [`watch`] is told by the operating system that it is worth looking, [`settle`] decides when a burst is over, and
//! [`git`] knows when git is in the middle of one.

pub mod git;
pub mod settle;
mod source;

pub mod tree;
pub mod watch;

pub use self::source::FileSource;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use self::git::GitLocks;
use self::settle::Settle;
use self::tree::{Scan, Tree};
use self::watch::{Signal, Watch};

/// How often to look when the operating system does not tell about changes.
const POLL: Duration = Duration::from_secs(1);

/// One look at the files, and when the change that led to it was noticed.
#[derive(Debug)]
pub struct Look {
    /// What changed.
    pub scan: Scan,
    /// When the first sign of the change came.
    pub noticed: Instant,
    /// The operating system does not tell about (all) changes, for this reason; told once.
    pub unwatched: Option<notify::Error>,
}

/// The files below some paths, and the watch on them.
#[derive(Debug)]
pub struct Files {
    tree: Tree,
    watch: Watch,
    locks: GitLocks,
    signals: Receiver<Signal>,
    polling: bool,
}

/// Ends the wait of [`Files::wait`], from any thread.
#[derive(Clone, Debug)]
pub struct StopFiles(mpsc::Sender<Signal>);

impl StopFiles {
    /// Makes [`Files::wait`] return nothing, now and for ever.
    pub fn stop(&self) {
        // Nobody to stop when nobody receives.
        self.0.send(Signal::Stop).ok();
    }
}

impl Files {
    /// The files below `roots`: folders with everything in them, and single files.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> (Self, StopFiles) {
        let (sender, signals) = mpsc::channel();
        let watch = Watch::new(sender.clone());
        let locks = GitLocks::around(&roots);
        (Self { tree: Tree::new(roots), watch, locks, signals, polling: false }, StopFiles(sender))
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Looks now, without waiting for a change. The first look finds everything.
    pub fn look(&mut self) -> Look {
        self.look_at(Instant::now(), &BTreeSet::new())
    }

    /// Waits for a burst of changes to settle, and looks. Returns nothing when it was told to stop. A look may find
    /// that nothing changed.
    pub fn wait(&mut self) -> Option<Look> {
        let first = if self.polling {
            match self.signals.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) => return Some(self.look()),
                received => received.ok()?,
            }
        } else {
            self.signals.recv().ok()?
        };
        let noticed = Instant::now();
        let mut settle = Settle::new(noticed);
        let mut signal = Some(first);
        loop {
            match signal.take() {
                Some(Signal::Stop) => return None,
                Some(Signal::Changed(event)) => settle.event(Instant::now(), &event),
                Some(Signal::Lost) | None => {}
            }
            let Some(wait) = settle.wait(Instant::now(), self.locks.held()) else { break };
            match self.signals.recv_timeout(wait) {
                Ok(received) => signal = Some(received),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        Some(self.look_at(noticed, &settle.into_touched()))
    }

    fn look_at(&mut self, noticed: Instant, touched: &BTreeSet<PathBuf>) -> Look {
        let watch = &mut self.watch;
        let scan = self.tree.scan(touched, &mut |folder| watch.enter(folder));
        let unwatched = watch.finish();
        let first_failure = unwatched.is_some() && !self.polling;
        self.polling |= first_failure;
        Look { scan, noticed, unwatched: unwatched.filter(|_| first_failure) }
    }
}

#[cfg(test)]
mod tests;
