//! Objects that a program brings along, as a source.

use std::time::Instant;

use pilotage_config::load;

use crate::source::{Batch, Change, Content, Outlet, Running, Source, SourceError, SourceName};

/// One text with objects that never changes.
#[derive(Clone, Debug)]
pub struct Builtin {
    name: SourceName,
    text: String,
}

impl Builtin {
    /// The objects in `text`; `name` stands for a file name in messages.
    #[must_use]
    pub fn new(name: &str, text: String) -> Self {
        Self { name: SourceName::new(name), text }
    }
}

impl Source for Builtin {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    fn start(self: Box<Self>, outlet: Outlet) -> Result<Running, SourceError> {
        let unit = self.name.to_string();
        let content = Content::Objects(load(&unit, &self.text));
        let changes = vec![Change { unit: unit.into(), content }];
        let batch =
            Batch { source: self.name, changes, troubles: Vec::new(), noticed: Instant::now() };
        // The loop keeps its end of the channel while it starts sources.
        let delivered = outlet.deliver(batch);
        debug_assert!(delivered, "a control loop ended before it began");
        Ok(Running::new(|| {}))
    }
}
