//! The stages of a change, each by itself, for meshes of 10, 1,000 and 10,000 services with 10 endpoints each.
//!
//! `cargo bench -p pilotage-control`; `-- compile --sample-count 3` for one stage.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot go on has failed")]

#[path = "stages/mesh.rs"]
mod mesh;
#[path = "stages/request.rs"]
mod request;

use std::sync::Arc;

use divan::{Bencher, black_box};
use pilotage_config::mesh::MeshConfig;
use pilotage_config::{Object, load};
use pilotage_control::identities::Identities;
use pilotage_control::pipeline::Pipeline;
use pilotage_control::store::Store;
use pilotage_control::summary::Summary;
use pilotage_engine::{LiveState, Tables};
use pilotage_model::{Inputs, ProxyClass, Snapshot, analysis, build_after, view};
use pilotage_proto::ResourceSet;

pub(crate) const SERVICES: [usize; 3] = [10, 1_000, 10_000];

fn main() {
    divan::main();
}

fn objects(services: usize) -> Vec<Arc<Object>> {
    let loaded = load("mesh.yaml", &mesh::yaml(services));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics.first());
    loaded.objects.into_iter().map(Arc::new).collect()
}

fn snapshot(services: usize) -> Arc<Snapshot> {
    build_after(None, &objects(services), &MeshConfig::default())
}

fn sidecar() -> ProxyClass {
    ProxyClass { namespace: "default".into(), ..ProxyClass::default() }
}

pub(crate) fn resources(services: usize) -> ResourceSet {
    pilotage_compile::resources(&view(&snapshot(services), &sidecar()))
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn load_text(bencher: Bencher<'_, '_>, services: usize) {
    let text = mesh::yaml(services);
    bencher.bench_local(|| load("mesh.yaml", black_box(&text)));
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn build(bencher: Bencher<'_, '_>, services: usize) {
    let inputs = Inputs { objects: objects(services), mesh: MeshConfig::default() };
    bencher.bench_local(|| build_after(None, black_box(&inputs.objects), &inputs.mesh));
}

/// Looks for problems between objects; proxies do not wait for it.
#[divan::bench(args = SERVICES, max_time = 5)]
fn analyze(bencher: Bencher<'_, '_>, services: usize) {
    let objects = objects(services);
    let objects: Vec<&Object> = objects.iter().map(|object| &**object).collect();
    bencher.bench_local(|| analysis::analyze(black_box(&objects)));
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn take_view(bencher: Bencher<'_, '_>, services: usize) {
    let snapshot = snapshot(services);
    bencher.bench_local(|| view(black_box(&snapshot), &sidecar()));
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn compile(bencher: Bencher<'_, '_>, services: usize) {
    let view = view(&snapshot(services), &sidecar());
    bencher.bench_local(|| pilotage_compile::resources(black_box(&view)));
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn apply_all(bencher: Bencher<'_, '_>, services: usize) {
    let (resources, live) = (resources(services), LiveState::new());
    let empty = Tables::empty();
    bencher.bench_local(|| Tables::apply(&empty, black_box(&resources), &live));
}

#[divan::bench(args = SERVICES, max_time = 5)]
fn apply_one_changed(bencher: Bencher<'_, '_>, services: usize) {
    let (resources, live) = (resources(services), LiveState::new());
    let (before, _) = Tables::apply(&Tables::empty(), &resources, &live);
    let mut changed = resources.clone();
    let cluster = changed.clusters.values_mut().next().expect("a mesh has clusters");
    Arc::make_mut(cluster).alt_stat_name.push('x');
    bencher.bench_local(|| Tables::apply(&before, black_box(&changed), &live));
}

/// A weight is edited in a folder with a file for each service.
#[divan::bench(args = SERVICES, max_time = 5)]
fn edit_weight(bencher: Bencher<'_, '_>, services: usize) {
    edit(bencher, mesh::files(services), |text| text.replacen("weight: 80", "weight: 70", 1));
}

/// An endpoint becomes unready, in such a folder.
#[divan::bench(args = SERVICES, max_time = 5)]
fn edit_endpoint(bencher: Bencher<'_, '_>, services: usize) {
    let unready = "- {conditions: {ready: false}, addresses";
    edit(bencher, mesh::files(services), |text| text.replacen("- {addresses", unready, 1));
}

/// A weight is edited in a single file that holds everything.
#[divan::bench(args = SERVICES, max_time = 5)]
fn edit_weight_in_one_file(bencher: Bencher<'_, '_>, services: usize) {
    let file = vec![("mesh.yaml".to_owned(), mesh::yaml(services))];
    edit(bencher, file, |text| text.replacen("weight: 80", "weight: 70", 1));
}

/// From the text of the saved file to the tables of the proxy; without the waiting for further changes.
fn edit(bencher: Bencher<'_, '_>, files: Vec<(String, String)>, change: impl Fn(&str) -> String) {
    let at = files.len() / 2;
    let (name, text) = files.get(at).cloned().expect("there are files");
    let edited = change(&text);
    assert_ne!(text, edited);
    let mut running = Running::new(&files);
    let mut versions = [edited, text].into_iter().cycle();
    bencher
        .with_inputs(|| versions.next().expect("a cycle has no end"))
        .bench_local_refs(|text| running.save(&name, text));
}

/// A control loop and a proxy without threads.
struct Running {
    store: Store,
    pipeline: Pipeline,
    tables: Arc<Tables>,
    live: LiveState,
}

impl Running {
    fn new(files: &[(String, String)]) -> Self {
        let mut this = Self {
            store: Store::default(),
            pipeline: Pipeline::new(Identities { sidecar: Some(sidecar()), gateways: true }),
            tables: Tables::empty(),
            live: LiveState::new(),
        };
        for (name, text) in files {
            this.store.load(name.as_str().into(), load(name, text));
        }
        this.publish();
        this
    }

    fn save(&mut self, name: &str, text: &str) {
        self.store.load(name.into(), load(name, text));
        assert!(self.publish(), "an edit changes something");
    }

    /// Says whether anything changed.
    fn publish(&mut self) -> bool {
        let settled = self.store.settle();
        let summary = Summary::between(&settled.before, &settled.after);
        let compiled = self.pipeline.compile(self.store.in_order(), &MeshConfig::default());
        for resources in compiled.values() {
            let (tables, rejections) = Tables::apply(&self.tables, resources, &self.live);
            assert!(rejections.is_empty(), "{:?}", rejections.first());
            self.tables = tables;
        }
        !summary.is_empty()
    }
}
