//! Configuration through our own pipeline: load, check, build, view, compile.

use std::sync::Arc;

use pilotage_config::mesh::{InterceptionMode, MeshConfig};
use pilotage_config::{Diagnostic, Object};
use pilotage_model::locality::Locality;
use pilotage_model::{Inputs, ProxyClass, ProxyKind, Snapshot};
use pilotage_proto::ResourceSet;

use crate::facets::Message;
use crate::vectors::{Asker, Case};

/// What we make of a set of files.
#[derive(Clone, Debug)]
pub struct Ours {
    /// The snapshot of what is valid.
    pub snapshot: Arc<Snapshot>,
    /// All problems, those of single objects and those between objects.
    pub diagnostics: Vec<Diagnostic>,
    /// How many of them, at the front, came from loading: an error there means that the object is not used.
    pub loading: usize,
}

impl Ours {
    /// Loads and builds `files` (names and texts) under `mesh`.
    #[must_use]
    pub fn of(files: &[(String, &str)], mesh: MeshConfig) -> Self {
        let mut objects: Vec<Arc<Object>> = Vec::new();
        let mut diagnostics = Vec::new();
        for (name, text) in files {
            let loaded = pilotage_config::load(name, text);
            diagnostics.extend(loaded.diagnostics);
            objects.extend(loaded.objects.into_iter().map(Arc::new));
        }
        let (snapshot, between) = pilotage_model::build(&Inputs { objects, mesh });
        let loading = diagnostics.len();
        diagnostics.extend(between);
        Self { snapshot, diagnostics, loading }
    }

    /// What we make of a case of the vectors.
    ///
    /// # Panics
    /// When its mesh settings cannot be read.
    #[must_use]
    pub fn of_case(case: &Case) -> Self {
        let mesh = match &case.mesh {
            Some(mesh) => {
                let (mesh, problems) =
                    pilotage_config::load_mesh_config("mesh.yaml", &mesh.to_string());
                assert!(problems.is_empty(), "{}: {problems:?}", case.name);
                mesh
            }
            None => MeshConfig::default(),
        };
        Self::of(&case.files(), mesh)
    }

    /// What we send to `asker`.
    #[must_use]
    pub fn resources(&self, asker: &Asker) -> ResourceSet {
        let view = pilotage_model::view(&self.snapshot, &proxy_class(asker));
        pilotage_compile::resources(&view)
    }

    /// Why objects are not used.
    pub fn refusals(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().take(self.loading).filter(|problem| problem.is_error())
    }

    /// The problems as Istio's tools write them.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let of = |problem: &Diagnostic| Message {
            code: problem.code.id().to_owned(),
            level: capitalized(problem.severity.as_str()),
            origin: problem.object.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        self.diagnostics.iter().map(of).collect()
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The proxy that `asker` describes.
///
/// # Panics
/// When its address is none.
#[must_use]
pub fn proxy_class(asker: &Asker) -> ProxyClass {
    ProxyClass {
        kind: if asker.kind == "gateway" { ProxyKind::Gateway } else { ProxyKind::Sidecar },
        namespace: asker.namespace.as_str().into(),
        labels: asker.labels.clone(),
        addresses: vec![asker.ip.parse().expect("an address")],
        service_account: asker.service_account.as_deref().unwrap_or_default().into(),
        locality: asker.locality.as_deref().map(Locality::parse).unwrap_or_default(),
        interception: asker.interception_mode.as_deref().map(|mode| match mode {
            "NONE" => InterceptionMode::None,
            "TPROXY" => InterceptionMode::Tproxy,
            _ => InterceptionMode::Redirect,
        }),
        http10: asker.http10.as_deref() == Some("1"),
        ..ProxyClass::default()
    }
}
