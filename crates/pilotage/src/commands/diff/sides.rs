//! One side of a comparison: where it comes from and what it holds.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_config::object::Kind;
use pilotage_config::{Diagnostic, Object, SpanTable, load};
use pilotage_engine::Tables;
use pilotage_model::Snapshot;

use super::git;
use crate::inputs::{Configuration, SourceText, read_each};

/// Something that listens, so that VirtualServices for sidecars count there.
const LISTENER: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pilotage-diff-listener, namespace: default}
spec:
  hosts: [pilotage-diff-listener.invalid]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
";

/// One side of a comparison.
#[derive(Debug)]
pub(super) struct Side {
    /// What to call it.
    pub(super) name: String,
    pub(super) content: Content,
    /// Where its objects are written, by kind and name.
    places: HashMap<String, Written>,
}

/// Where an object is written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) file: String,
    pub(super) line: u32,
    /// Where its fields are.
    pub(super) spans: Arc<SpanTable>,
}

/// What a side holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Objects, of which the resources of any proxy can be made.
    Objects { configuration: Box<Configuration>, snapshot: Arc<Snapshot> },
    /// The tables of proxies that are running: the sidecar's, and gateways' by selector.
    Running(Vec<(String, Arc<Tables>)>),
}

/// Settings of the mesh for both sides.
#[derive(Debug)]
pub(super) struct Mesh(pub(super) Option<SourceText>);

/// Why a side cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SideError {
    /// Only one was named.
    #[error("name two sides, or one and --live")]
    NothingToCompareWith,
    /// Git is not there.
    #[error("cannot run git, which reads {0}: {1}")]
    NoGit(String, io::Error),
    /// Git does not know the revision or path.
    #[error("git finds nothing at {0}: {1}")]
    Git(String, String),
    /// Nothing to load there.
    #[error("{0} holds no *.yaml, *.yml or *.json file")]
    Empty(String),
    /// The admin port.
    #[error("no answer from the admin port of `pilotage up` at {0}: {1}")]
    Live(String, String),
}

impl Side {
    /// Reads what `named` names: a path, or a path in a revision. What it shares with `before` is not made again.
    pub(super) fn load(
        named: &str,
        mesh: &Mesh,
        before: Option<&Self>,
    ) -> Result<Self, super::CommandError> {
        let sources = match revision(named) {
            Some((revision, path)) => git::read(revision, path)?,
            None => read_each(&[PathBuf::from(named)])?,
        };
        let known = before.and_then(Self::configuration);
        let configuration = Configuration::of(sources, mesh.0.clone(), known);
        Ok(Self::of(named.to_owned(), configuration, before))
    }

    fn of(name: String, configuration: Configuration, before: Option<&Self>) -> Self {
        let known = before.and_then(|before| match &before.content {
            Content::Objects { snapshot, .. } => Some(&**snapshot),
            Content::Running(_) => None,
        });
        let snapshot =
            pilotage_model::build_after(known, &configuration.objects, &configuration.mesh);
        let written = |object: &Arc<Object>| {
            let file = configuration.file(object).to_owned();
            let line = object.source.span.line;
            (object.to_string(), Written { file, line, spans: Arc::clone(&object.spans) })
        };
        // Of several with one name the first counts.
        let places = configuration.objects.iter().rev().map(written).collect();
        let configuration = Box::new(configuration);
        let content = Content::Objects { configuration, snapshot };
        Self { name, content, places }
    }

    /// What is running at `name`.
    pub(super) fn running(name: String, tables: Vec<(String, Arc<Tables>)>) -> Self {
        Self { name, content: Content::Running(tables), places: HashMap::new() }
    }

    /// Both sides, and whether something had to be assumed: when neither knows a service, as in a file with a
    /// VirtualService alone, nothing would listen for sidecars and everything would be the same; so port 80 is taken to
    /// be there on both.
    pub(super) fn load_both(
        [old, new]: [&str; 2],
        mesh: &Mesh,
    ) -> Result<([Self; 2], bool), super::CommandError> {
        let old = Self::load(old, mesh, None)?;
        let new = Self::load(new, mesh, Some(&old))?;
        if old.knows_services() || new.knows_services() {
            return Ok(([old, new], false));
        }
        let listener: Vec<Arc<Object>> =
            load("", LISTENER).objects.into_iter().map(Arc::new).collect();
        let old = old.with(&listener, None);
        let new = new.with(&listener, Some(&old));
        Ok(([old, new], true))
    }

    fn with(self, objects: &[Arc<Object>], before: Option<&Self>) -> Self {
        match self.content {
            Content::Objects { mut configuration, .. } => {
                configuration.objects.extend_from_slice(objects);
                Self::of(self.name, *configuration, before)
            }
            Content::Running(_) => self,
        }
    }

    /// What the side was loaded from.
    pub(super) fn configuration(&self) -> Option<&Configuration> {
        match &self.content {
            Content::Objects { configuration, .. } => Some(configuration),
            Content::Running(_) => None,
        }
    }

    /// Where the object is written that is called `Kind namespace/name`.
    pub(super) fn written(&self, name: &str) -> Option<&Written> {
        self.places.get(name)
    }

    /// Whether it is what a process has in force, of which no files are known.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.content, Content::Running(_))
    }

    fn knows_services(&self) -> bool {
        self.configuration().is_none_or(|configuration| {
            let is_service = |object: &Arc<Object>| {
                matches!(object.body, Kind::Service(_) | Kind::ServiceEntry(_))
            };
            configuration.objects.iter().any(is_service)
        })
    }

    /// Files and objects that could not be used.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        let all = self.configuration().into_iter().flat_map(|all| &all.diagnostics);
        all.filter(|problem| problem.is_error())
    }
}

/// The revision and path of `git:REV:PATH`, or of `REV:PATH` where there is no file of that name.
fn revision(named: &str) -> Option<(&str, &str)> {
    if let Some(rest) = named.strip_prefix("git:") {
        return Some(rest.split_once(':').unwrap_or((rest, ".")));
    }
    let (revision, path) = named.split_once(':')?;
    (!Path::new(named).exists() && !revision.is_empty()).then_some((revision, path))
}

#[cfg(test)]
mod tests {
    use super::revision;

    #[test]
    fn revisions_are_told_from_paths() {
        assert_eq!(revision("git:main:mesh/a"), Some(("main", "mesh/a")));
        assert_eq!(revision("git:HEAD~1"), Some(("HEAD~1", ".")));
        assert_eq!(revision("main:mesh"), Some(("main", "mesh")));
        assert_eq!(revision("mesh/a.yaml"), None);
        assert_eq!(revision(":x"), None);
    }
}
