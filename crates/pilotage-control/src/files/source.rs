//! Files as a [`Source`]: loading what changed, on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use pilotage_config::{LoadOptions, load_bytes, load_mesh_config};

use super::tree::FileChange;
use super::{Files, Look};
use crate::source::{Batch, Change, Content, Outlet, Running, Source, SourceError, SourceName};

/// Folders and files with objects, watched.
#[derive(Debug)]
pub struct FileSource {
    name: SourceName,
    paths: Vec<PathBuf>,
    mesh_config: Option<PathBuf>,
    options: LoadOptions,
}

impl FileSource {
    /// The objects in `paths`: folders with everything in them, and single files.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Self {
            name: SourceName::new(&names.join(", ")),
            paths,
            mesh_config: None,
            options: LoadOptions::default(),
        }
    }

    /// Takes the settings of the mesh from this file.
    #[must_use]
    pub fn with_mesh_config(mut self, file: Option<PathBuf>) -> Self {
        self.mesh_config = file;
        self
    }
}

impl Source for FileSource {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    fn start(self: Box<Self>, outlet: Outlet) -> Result<Running, SourceError> {
        let roots = self.paths.iter().chain(&self.mesh_config).cloned().collect();
        let (mut files, stop) = Files::new(roots);
        let name = self.name.clone();
        let run = move || {
            let mut look = Some(files.look());
            // The first batch is delivered whatever is in it: the control loop waits for it.
            let mut first = true;
            while let Some(found) = look.take().or_else(|| files.wait()) {
                let batch = self.batch(found);
                let worthwhile = first || !batch.changes.is_empty() || !batch.troubles.is_empty();
                if worthwhile && !outlet.deliver(batch) {
                    return;
                }
                first = false;
            }
        };
        thread::Builder::new()
            .name("files".to_owned())
            .spawn(run)
            .map_err(|error| SourceError { source_name: name, reason: error.to_string() })?;
        Ok(Running::new(move || stop.stop()))
    }
}

impl FileSource {
    fn batch(&self, look: Look) -> Batch {
        let Look { scan, noticed, unwatched } = look;
        let mut troubles: Vec<String> = scan
            .problems
            .iter()
            .map(|problem| format!("{problem}; what was read there before keeps serving"))
            .collect();
        if let Some(error) = unwatched {
            troubles.push(format!(
                "the operating system cannot tell about all changes ({error}): files are looked at every second"
            ));
        }
        let changes = scan.changes.into_iter().map(|change| self.change(change)).collect();
        Batch { source: self.name.clone(), changes, troubles, noticed }
    }

    fn change(&self, change: FileChange) -> Change {
        let unit: Arc<str> = change.path().display().to_string().into();
        let content = match change {
            FileChange::Gone { .. } => Content::Gone,
            FileChange::Content { path, bytes } if self.is_mesh_config(&path) => {
                let (mesh, problems) = load_mesh_config(&unit, &String::from_utf8_lossy(&bytes));
                Content::Mesh(Box::new(mesh), problems)
            }
            FileChange::Content { bytes, .. } => {
                let started = Instant::now();
                let loaded = load_bytes(&unit, &bytes, &self.options);
                tracing::debug!(%unit, bytes = bytes.len(), took = ?started.elapsed(), "loaded");
                Content::Objects(loaded)
            }
        };
        Change { unit, content }
    }

    fn is_mesh_config(&self, path: &Path) -> bool {
        let absolute = |path: &Path| std::path::absolute(path).ok();
        self.mesh_config.as_deref().is_some_and(|mesh| absolute(mesh) == absolute(path))
    }
}
