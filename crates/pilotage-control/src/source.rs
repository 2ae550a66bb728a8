//! Where configuration comes from.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use pilotage_config::Loaded;
use pilotage_config::mesh::MeshConfig;

use crate::event::Event;

/// A source of objects: a folder of files, an API server.
///
/// A source reads and watches on threads of its own. Its first batch holds everything that is there; the control loop
/// publishes nothing before it has the first batch of every source.
pub trait Source: Send {
    /// What to call it in messages.
    fn name(&self) -> SourceName;

    /// Starts to deliver. Ends when the returned guard is dropped, or nobody listens any more.
    ///
    /// # Errors
    /// When it cannot start at all. Problems that may pass are part of a batch instead.
    fn start(self: Box<Self>, outlet: Outlet) -> Result<Running, SourceError>;
}

/// The name of a source, for messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// A source called `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a source does not start.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct SourceError {
    /// Which.
    pub source_name: SourceName,
    /// Why.
    pub reason: String,
}

/// What changed together, and is published together.
#[derive(Debug)]
pub struct Batch {
    /// Who says so.
    pub source: SourceName,
    /// The changes, at most one for each unit.
    pub changes: Vec<Change>,
    /// What hinders the source, in whole sentences; each is told once.
    pub troubles: Vec<String>,
    /// When the first sign of the change was seen.
    pub noticed: Instant,
}

/// What became of one unit: a file, or an object of an API server.
#[derive(Debug)]
pub struct Change {
    /// The name of the unit, unique over all sources.
    pub unit: Arc<str>,
    /// What it holds now.
    pub content: Content,
}

/// What a unit holds.
#[derive(Debug)]
pub enum Content {
    /// Objects, some of them perhaps broken.
    Objects(Loaded),
    /// The settings of the mesh, for the unit that was named for them.
    Mesh(Box<MeshConfig>, Vec<pilotage_config::Diagnostic>),
    /// Nothing: the unit was deleted.
    Gone,
}

/// Where a source delivers its batches.
#[derive(Clone, Debug)]
pub struct Outlet(Sender<Event>);

impl Outlet {
    /// An outlet into the events of a control loop.
    #[must_use]
    pub fn new(events: Sender<Event>) -> Self {
        Self(events)
    }

    /// Delivers a batch. Returns `false` when the control loop has ended, and the source should too.
    #[must_use]
    pub fn deliver(&self, batch: Batch) -> bool {
        self.0.send(Event::Batch(batch)).is_ok()
    }
}

/// A source at work. Dropping this ends it.
pub struct Running(Option<Box<dyn FnOnce() + Send>>);

impl Running {
    /// A source that ends when `stop` is called.
    #[must_use]
    pub fn new(stop: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(stop)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}
