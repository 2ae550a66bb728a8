//! What a table refused of the resources it was given.

use std::fmt;

/// Which kind of resource a [`Rejection`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// LDS.
    Listener,
    /// RDS.
    RouteConfiguration,
    /// CDS.
    Cluster,
    /// EDS.
    LoadAssignment,
    /// SDS.
    Secret,
    /// The name table.
    Names,
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listener => "listener",
            Self::RouteConfiguration => "route configuration",
            Self::Cluster => "cluster",
            Self::LoadAssignment => "load assignment",
            Self::Secret => "secret",
            Self::Names => "name table",
        })
    }
}

/// What became of the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The resource works, without the part named here.
    Warning,
    /// The resource was refused as a whole: its previous version, if there was one, stays in force.
    Rejected,
}

/// A resource, or a part of one, that was not accepted. xDS calls the refused kind a NACK.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// Kind of the resource.
    pub kind: ResourceKind,
    /// Name of the resource.
    pub resource: String,
    /// Path of the offending field inside the resource, in protobuf names: `virtual_hosts[0].routes[3].match`.
    pub path: String,
    /// Refused as a whole, or working without that part.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.kind, self.resource, self.path, self.message)
    }
}

/// Why one field cannot be compiled: the error type of every compiling function of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FieldError {
    /// Path of the field below the message that was being compiled.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same error seen from the message that holds `field`.
    #[must_use]
    pub fn within(self, field: impl fmt::Display) -> Self {
        let path =
            if self.path.is_empty() { field.to_string() } else { format!("{field}.{}", self.path) };
        Self { path, ..self }
    }
}

/// Warnings found while one resource is compiled: fields that are not obeyed, and say so.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    prefix: Vec<String>,
    found: Vec<FieldError>,
}

impl Warnings {
    /// Notes that the field at `path` is not obeyed.
    pub(crate) fn note(&mut self, path: &str, message: impl Into<String>) {
        let mut full = self.prefix.join(".");
        if !full.is_empty() && !path.is_empty() {
            full.push('.');
        }
        full.push_str(path);
        self.found.push(FieldError::new(full, message));
    }

    /// Runs `f` with `field` in front of every path it notes.
    pub(crate) fn within<R>(
        &mut self,
        field: impl fmt::Display,
        f: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.prefix.push(field.to_string());
        let result = f(self);
        self.prefix.pop();
        result
    }

    /// Everything noted.
    pub(crate) fn into_found(self) -> Vec<FieldError> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldError, Warnings};

    #[test]
    fn paths_grow_from_the_inside_out() {
        let error =
            FieldError::new("regex", "does not compile").within("safe_regex").within("routes[2]");
        assert_eq!(error.path, "routes[2].safe_regex.regex");
        let mut warnings = Warnings::default();
        warnings.within("a", |w| w.within("b[1]", |w| w.note("c", "unused")));
        warnings.note("d", "unused");
        let paths: Vec<_> = warnings.into_found().into_iter().map(|w| w.path).collect();
        assert_eq!(paths, ["a.b[1].c", "d"]);
    }
}
