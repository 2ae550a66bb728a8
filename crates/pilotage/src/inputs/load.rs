//! From files to objects.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotage_config::mesh::MeshConfig;
use pilotage_config::object::Kind;
use pilotage_config::{
    Diagnostic, LoadOptions, Object, PassedOver, codes, load_mesh_config, load_with,
};
use pilotage_control::files::tree::FileError;
use pilotage_model::Inputs;

use super::{InputArgs, InputError, SourceText, read_all, read_each, read_one};

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
    /// Files with the text of one that was loaded before, by that one's name: their objects are the very same.
    same_files: BTreeMap<Arc<str>, String>,
}

/// What was loaded before, to find what need not be loaded again.
struct Known<'k> {
    /// Files without problems, by text.
    files: HashMap<&'k str, &'k str>,
    objects: HashMap<&'k str, Vec<&'k Arc<Object>>>,
}

impl<'k> Known<'k> {
    fn of(configuration: &'k Configuration) -> Self {
        let mut objects: HashMap<&str, Vec<_>> = HashMap::new();
        for object in &configuration.objects {
            objects.entry(&*object.source.file).or_default().push(object);
        }
        let labels = configuration.diagnostics.iter().filter_map(|one| one.primary.as_ref());
        for label in labels {
            objects.remove(&*label.source);
        }
        let files = configuration.sources.iter();
        let files = files.filter(|(name, _)| objects.contains_key(name.as_str()));
        Self { files: files.map(|(name, text)| (&**text, &**name)).collect(), objects }
    }

    /// A file that says the same as `source`, with its objects; each is given once.
    fn take(&mut self, source: &SourceText) -> Option<(&'k str, Vec<&'k Arc<Object>>)> {
        let file = *self.files.get(&*source.text)?;
        Some((file, self.objects.remove(file)?))
    }
}

impl InputArgs {
    /// Loads like [`InputArgs::load`], for tools whose answer is a list of problems: a file that cannot be read is one,
    /// and does not stop the others. Objects that name no namespace are taken to be in `namespace`.
    ///
    /// # Errors
    /// When nothing is named, or something named is not there.
    pub(crate) fn load_each(
        &self,
        paths: &[PathBuf],
        namespace: Option<&str>,
    ) -> Result<Configuration, InputError> {
        let all: Vec<PathBuf> = self.files.iter().chain(paths).cloned().collect();
        let mut options = LoadOptions::default();
        if let Some(namespace) = namespace {
            namespace.clone_into(&mut options.default_namespace);
        }
        let mut configuration = Configuration::default();
        for source in read_each(&all)? {
            match source {
                Ok(source) => configuration.add(source, &options),
                Err(error) => configuration.diagnostics.push(unreadable(&error)),
            }
        }
        self.load_mesh(&mut configuration)?;
        Ok(configuration)
    }

    /// Loads the files named by `-f` and further `paths`, and the settings of the mesh.
    ///
    /// # Errors
    /// When a file cannot be read as text. Mistakes inside of a text are diagnostics.
    pub(crate) fn load(&self, paths: &[PathBuf]) -> Result<Configuration, InputError> {
        let all: Vec<PathBuf> = self.files.iter().chain(paths).cloned().collect();
        let mut configuration = Configuration::default();
        for source in read_all(&all)? {
            configuration.add(source, &LoadOptions::default());
        }
        self.load_mesh(&mut configuration)?;
        Ok(configuration)
    }

    fn load_mesh(&self, configuration: &mut Configuration) -> Result<(), InputError> {
        match &self.mesh_config_file {
            Some(path) => configuration.set_mesh(read_one(path)?),
            None => {
                if let Some(text) = configuration.mesh_config_map() {
                    configuration.set_mesh(text);
                }
            }
        }
        Ok(())
    }
}

impl Configuration {
    /// What `sources` hold, under the settings of `mesh`, else those of the ConfigMap `istio` among them. What cannot be
    /// read is a problem. Files that say the same as one of `before` are not loaded again: their objects are the very
    /// same, and what they hold of other kinds is not counted.
    pub(crate) fn of(
        sources: Vec<Result<SourceText, InputError>>,
        mesh: Option<SourceText>,
        before: Option<&Self>,
    ) -> Self {
        let mut configuration = Self::default();
        let mut known = before.map(Known::of);
        for source in sources {
            match source {
                Ok(source) => match known.as_mut().and_then(|known| known.take(&source)) {
                    Some((file, objects)) => {
                        configuration.objects.extend(objects.into_iter().cloned());
                        configuration.same_files.insert(file.into(), source.name.clone());
                        configuration.sources.insert(source.name, source.text);
                    }
                    None => configuration.add(source, &LoadOptions::default()),
                },
                Err(error) => configuration.diagnostics.push(unreadable(&error)),
            }
        }
        if let Some(mesh) = mesh.or_else(|| configuration.mesh_config_map()) {
            configuration.set_mesh(mesh);
        }
        configuration
    }

    /// The file that `object` is in.
    pub(crate) fn file<'a>(&'a self, object: &'a Object) -> &'a str {
        self.same_files.get(&object.source.file).map_or(&*object.source.file, String::as_str)
    }

    /// All objects, those with errors included: a mistake in one is no reason to report what the others say about it.
    pub(crate) fn all_objects(&self) -> Vec<&Object> {
        self.broken.iter().chain(&self.objects).map(|object| &**object).collect()
    }

    /// What the model is made of.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs { objects: self.objects.clone(), mesh: self.mesh.clone() }
    }

    fn add(&mut self, source: SourceText, options: &LoadOptions) {
        // The same file named twice would make duplicates of all its objects.
        if self.sources.contains_key(&source.name) {
            return;
        }
        let loaded = load_with(&source.name, &source.text, options);
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
                Some(SourceText { name: format!("{}: data.mesh", self.file(object)), text })
            }
            _ => None,
        })
    }
}

/// That a file cannot be read, as a problem among others.
fn unreadable(error: &InputError) -> Diagnostic {
    let (code, path) = match error {
        InputError::NotText { path, .. } => (codes::PIL0003, path.as_path()),
        InputError::Unreadable(FileError::TooLarge { path }) => (codes::PIL0002, path.as_path()),
        InputError::Unreadable(error) => (codes::PIL0012, error.path()),
        InputError::EmptyFolder { path } => (codes::PIL0012, path.as_path()),
        InputError::NothingGiven => (codes::PIL0012, Path::new("")),
    };
    Diagnostic::new(code, error.to_string()).with_source(&path.display().to_string().into())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_a_problem_with_its_name() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let problem = unreadable(&FileError::Io { path: "mesh/a.yaml".into(), error }.into());
        assert_eq!(problem.code.id(), "PIL0012");
        assert_eq!(
            problem.to_string(),
            "mesh/a.yaml: error[PIL0012]: cannot read mesh/a.yaml: permission denied"
        );
    }
}
