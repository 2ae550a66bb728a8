//! One side of a comparison: where it comes from and what it holds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_config::object::Kind;
use pilotage_config::{Diagnostic, load};
use pilotage_engine::Tables;
use pilotage_explain::simulation;
use pilotage_model::Snapshot;

use super::git;
use crate::inputs::{Configuration, SourceText, read_all};

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
    /// Something that is no text.
    #[error("{0} is not a text file")]
    NotText(String),
    /// The admin port.
    #[error("no answer from the admin port of `pilotage up` at {0}: {1}")]
    Live(String, String),
}

impl Side {
    /// Reads what `named` names: a path, or a path in a revision.
    pub(super) fn load(named: &str, mesh: &Mesh) -> Result<Self, super::CommandError> {
        let sources = match revision(named) {
            Some((revision, path)) => git::read(revision, path)?,
            None => read_all(&[PathBuf::from(named)])?,
        };
        let configuration = Configuration::of(sources, mesh.0.clone());
        Ok(Self::of(named.to_owned(), configuration))
    }

    fn of(name: String, configuration: Configuration) -> Self {
        let snapshot =
            pilotage_model::build_after(None, &configuration.objects, &configuration.mesh);
        let content = Content::Objects { configuration: Box::new(configuration), snapshot };
        Self { name, content }
    }

    /// Both sides. When neither knows a service, as in a file with a VirtualService alone, nothing would listen for
    /// sidecars and everything would be the same; so port 80 is taken to be there on both.
    pub(super) fn load_both(
        [old, new]: [&str; 2],
        mesh: &Mesh,
    ) -> Result<[Self; 2], super::CommandError> {
        let both = [Self::load(old, mesh)?, Self::load(new, mesh)?];
        if both.iter().any(Self::knows_services) {
            return Ok(both);
        }
        Ok(both.map(|side| match side.content {
            Content::Objects { mut configuration, .. } => {
                configuration.objects.extend(load("", LISTENER).objects.into_iter().map(Arc::new));
                Self::of(side.name, *configuration)
            }
            Content::Running(_) => side,
        }))
    }

    fn knows_services(&self) -> bool {
        match &self.content {
            Content::Objects { configuration, .. } => configuration
                .objects
                .iter()
                .any(|object| matches!(object.body, Kind::Service(_) | Kind::ServiceEntry(_))),
            Content::Running(_) => true,
        }
    }

    /// Objects that could not be used.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        let configuration = match &self.content {
            Content::Objects { configuration, .. } => Some(configuration),
            Content::Running(_) => None,
        };
        let all = configuration.into_iter().flat_map(|configuration| &configuration.diagnostics);
        all.filter(|problem| problem.is_error())
    }

    /// The tables of the proxy `who`, or of the running one called `name`.
    pub(super) fn tables(&self, name: &str, who: &pilotage_model::ProxyClass) -> Arc<Tables> {
        match &self.content {
            Content::Objects { snapshot, .. } => {
                let view = pilotage_model::view(snapshot, who);
                simulation::tables(&pilotage_compile::resources(&view)).0
            }
            Content::Running(all) => {
                let found = all.iter().find(|(known, _)| known == name);
                found.map_or_else(Tables::empty, |(_, tables)| Arc::clone(tables))
            }
        }
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
