//! From files to objects.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_config::object::Kind;
use pilotage_config::{Diagnostic, Object, PassedOver, load, load_mesh_config};
use pilotage_model::Inputs;

use super::{InputArgs, InputError, SourceText, read_all, read_file};

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// The objects that can be used.
    pub(crate) objects: Vec<Arc<Object>>,
    /// Objects with errors, as far as they could be read.
    pub(crate) broken: Vec<Arc<Object>>,
    /// The settings of the mesh, as written.
    pub(crate) mesh: MeshConfig,
    /// Problems found while reading.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Objects that do not concern traffic.
    pub(crate) passed_over: PassedOver,
    /// The texts by name, to show their lines.
    pub(crate) sources: BTreeMap<String, String>,
}

impl InputArgs {
    /// Loads the files named by `-f` and further `paths`, and the settings of the mesh.
    ///
    /// # Errors
    /// When a file cannot be read as text. Mistakes inside of a text are diagnostics.
    pub(crate) fn load(&self, paths: &[PathBuf]) -> Result<Configuration, InputError> {
        let all: Vec<PathBuf> = self.files.iter().chain(paths).cloned().collect();
        let mut configuration = Configuration::default();
        for source in read_all(&all)? {
            configuration.add(source);
        }
        match &self.mesh_config_file {
            Some(path) => configuration.set_mesh(read_file(path)?),
            None => {
                if let Some(text) = configuration.mesh_config_map() {
                    configuration.set_mesh(text);
                }
            }
        }
        Ok(configuration)
    }
}

impl Configuration {
    /// The problems that only several objects together show. Objects with errors take part: a mistake in one is no
    /// reason to report what the others say about it.
    pub(crate) fn analyze(&self) -> Vec<Diagnostic> {
        let objects: Vec<&Object> =
            self.objects.iter().chain(&self.broken).map(|object| &**object).collect();
        pilotage_model::analysis::analyze(&objects)
    }

    /// What the model is made of.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs { objects: self.objects.clone(), mesh: self.mesh.clone() }
    }

    fn add(&mut self, source: SourceText) {
        // The same file named twice would make duplicates of all its objects.
        if self.sources.contains_key(&source.name) {
            return;
        }
        let loaded = load(&source.name, &source.text);
        self.objects.extend(loaded.objects.into_iter().map(Arc::new));
        self.broken.extend(loaded.broken.into_iter().map(Arc::new));
        self.diagnostics.extend(loaded.diagnostics);
        self.passed_over.merge(&loaded.passed_over);
        self.sources.insert(source.name, source.text);
    }

    fn set_mesh(&mut self, source: SourceText) {
        let (mesh, problems) = load_mesh_config(&source.name, &source.text);
        self.mesh = mesh;
        self.diagnostics.extend(problems);
        self.sources.entry(source.name).or_insert(source.text);
    }

    /// The settings in the ConfigMap `istio`, of which there is one in a mesh.
    fn mesh_config_map(&self) -> Option<SourceText> {
        self.objects.iter().find_map(|object| match &object.body {
            Kind::ConfigMap(map) if object.name() == "istio" => {
                let text = map.mesh.clone()?;
                Some(SourceText { name: format!("{}: data.mesh", object.source.file), text })
            }
            _ => None,
        })
    }
}
