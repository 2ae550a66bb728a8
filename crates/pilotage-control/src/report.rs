//! What a control loop tells people.

use std::sync::Arc;
use std::time::Duration;

use pilotage_config::{Diagnostic, ObjectRef};

use crate::publish::Refusal;
use crate::source::SourceName;
use crate::store::Duplicate;
use crate::summary::Summary;

/// Something worth telling.
#[derive(Clone, Debug)]
pub enum Report {
    /// A generation was published.
    Published(Published),
    /// A unit was loaded, and nothing that traffic obeys changed by it.
    Unchanged {
        /// What was loaded.
        units: Vec<Arc<str>>,
        /// What is wrong in it.
        problems: Problems,
    },
    /// A source has trouble.
    Trouble {
        /// Which.
        source: SourceName,
        /// What it is, in a whole sentence.
        text: String,
    },
}

/// A generation that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its number, from 1.
    pub number: u64,
    /// What changed.
    pub summary: Summary,
    /// The number of objects in force.
    pub objects: usize,
    /// The number of files or other units they come from.
    pub units: usize,
    /// From the first sign of the change until every proxy in this process obeyed it.
    pub took: Duration,
    /// What is wrong in what changed.
    pub problems: Problems,
    /// What proxies did not accept.
    pub refusals: Vec<Refusal>,
}

/// What is wrong, as far as it is new.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// Problems with single places.
    pub diagnostics: Vec<Diagnostic>,
    /// Objects that are broken in the text, and whose last good version keeps serving.
    pub kept: Vec<ObjectRef>,
    /// Objects that are defined more than once.
    pub duplicates: Vec<Duplicate>,
}

impl Problems {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty() && self.kept.is_empty() && self.duplicates.is_empty()
    }
}
