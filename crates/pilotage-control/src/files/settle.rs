//! Deciding when a burst of changes is over, so that it becomes one generation.
//!
//! A machine without clock and files: it is told events and the time, and says how long to wait.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, DataChange, EventKind, ModifyKind, RenameMode};

use super::tree::is_configuration;

/// A burst is over when nothing happened for this long.
pub const QUIET: Duration = Duration::from_millis(20);

/// A burst that goes on and on is cut here, so that one change never waits for long …
pub const LONGEST: Duration = Duration::from_millis(60);

/// … unless a file is still open for writing, which is likely to hold half of what it will hold …
pub const LONGEST_WHILE_WRITTEN: Duration = Duration::from_millis(400);

/// … or git holds its lock: a checkout of a large repository takes its time.
pub const LONGEST_WHILE_LOCKED: Duration = Duration::from_secs(3);

/// A burst of changes that may still go on.
#[derive(Debug)]
pub struct Settle {
    began: Instant,
    last: Instant,
    /// Files that were written to.
    touched: BTreeSet<PathBuf>,
    /// Files that were written to and not closed.
    open: BTreeSet<PathBuf>,
}

impl Settle {
    /// A burst that begins at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { began: now, last: now, touched: BTreeSet::new(), open: BTreeSet::new() }
    }

    /// Takes note of an event.
    pub fn event(&mut self, now: Instant, event: &notify::Event) {
        self.last = now;
        for path in event.paths.iter().filter(|path| is_configuration(path)) {
            self.touched.insert(path.clone());
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) => {
                    self.open.insert(path.clone());
                }
                EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(_))
                | EventKind::Remove(_) => {
                    self.open.remove(path);
                }
                _ => {}
            }
        }
    }

    /// How long to wait for further events, or nothing when the burst is over. `locked` says that git is at work.
    #[must_use]
    pub fn wait(&self, now: Instant, locked: bool) -> Option<Duration> {
        let limit = if locked {
            LONGEST_WHILE_LOCKED
        } else if self.open.is_empty() {
            LONGEST
        } else {
            LONGEST_WHILE_WRITTEN
        };
        let left = limit
            .checked_sub(now.saturating_duration_since(self.began))
            .filter(|left| !left.is_zero())?;
        let quiet = QUIET.saturating_sub(now.saturating_duration_since(self.last));
        if !quiet.is_zero() {
            return Some(quiet.min(left));
        }
        let busy = locked || !self.open.is_empty();
        busy.then(|| left.min(QUIET / 4))
    }

    /// The files that were written to.
    #[must_use]
    pub fn into_touched(self) -> BTreeSet<PathBuf> {
        self.touched
    }
}

/// Whether an event can mean a change: reading does not, nor does writing to files that are not configuration.
#[must_use]
pub fn is_relevant(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Data(
            DataChange::Any | DataChange::Content | DataChange::Size,
        )) => event.paths.iter().any(|path| is_configuration(path) || path.extension().is_none()),
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Name(
            RenameMode::From | RenameMode::To | RenameMode::Both,
        )) => true,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn event(kind: EventKind, path: &str) -> notify::Event {
        notify::Event::new(kind).add_path(PathBuf::from(path))
    }

    fn written(path: &str) -> notify::Event {
        event(EventKind::Modify(ModifyKind::Data(DataChange::Any)), path)
    }

    fn closed(path: &str) -> notify::Event {
        event(EventKind::Access(AccessKind::Close(AccessMode::Write)), path)
    }

    #[test]
    fn a_save_settles_after_a_moment_of_quiet() {
        let start = Instant::now();
        let mut settle = Settle::new(start);
        settle.event(start, &written("a.yaml"));
        settle.event(start + MS, &closed("a.yaml"));
        assert_eq!(settle.wait(start + MS, false), Some(QUIET));
        assert_eq!(settle.wait(start + MS + QUIET, false), None);
        assert_eq!(settle.into_touched(), BTreeSet::from([PathBuf::from("a.yaml")]));
    }

    #[test]
    fn a_file_that_is_still_written_is_waited_for_but_not_for_ever() {
        let start = Instant::now();
        let mut settle = Settle::new(start);
        settle.event(start, &written("a.yaml"));
        assert!(settle.wait(start + LONGEST * 2, false).is_some());
        assert_eq!(settle.wait(start + LONGEST_WHILE_WRITTEN, false), None);
        settle.event(start + LONGEST, &closed("a.yaml"));
        assert_eq!(settle.wait(start + LONGEST + QUIET, false), None);
    }

    #[test]
    fn an_endless_burst_is_cut() {
        let start = Instant::now();
        let mut settle = Settle::new(start);
        for i in 0..100 {
            settle.event(start + MS * i, &closed(&format!("{i}.yaml")));
        }
        assert_eq!(settle.wait(start + MS * 99, false), None);
    }

    #[test]
    fn a_checkout_is_waited_for() {
        let start = Instant::now();
        let settle = Settle::new(start);
        assert!(settle.wait(start + LONGEST_WHILE_WRITTEN, true).is_some());
        assert_eq!(settle.wait(start + LONGEST_WHILE_LOCKED, true), None);
    }

    #[test]
    fn reading_and_foreign_files_do_not_count() {
        assert!(is_relevant(&written("mesh/a.yaml")));
        assert!(is_relevant(&event(
            EventKind::Modify(ModifyKind::Name(RenameMode::To)),
            "mesh/..data"
        )));
        assert!(!is_relevant(&written("mesh/access.log")));
        assert!(!is_relevant(&event(
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            "mesh/a.yaml"
        )));
    }
}
