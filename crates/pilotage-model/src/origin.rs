//! Where something compiled comes from: an object and a field of it.

use std::sync::Arc;

use pilotage_config::diagnostic::ObjectRef;

/// An object and the field of it that led to something compiled. It travels as metadata of the compiled resource, so
/// that the access log and `explain` can name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The object.
    pub object: ObjectRef,
    /// The path of the field (`spec.http[0]`); empty for the object as a whole.
    pub path: Arc<str>,
}

impl Origin {
    /// The object as a whole.
    #[must_use]
    pub fn of(object: ObjectRef) -> Self {
        Self { object, path: Arc::from("") }
    }

    /// A field of the same object.
    #[must_use]
    pub fn at(&self, path: impl Into<Arc<str>>) -> Self {
        Self { object: self.object.clone(), path: path.into() }
    }
}
