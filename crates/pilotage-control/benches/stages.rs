//! The stages of a change, each by itself, for meshes of 10, 1,000 and 10,000 services with 10 endpoints each.
//!
//! `cargo bench -p pilotage-control`; `-- compile --sample-count 3` for one stage.

#![expect(clippy::expect_used, reason = "a bench that cannot go on has failed")]

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
use pilotage_engine::{LiveState, Tables};
use pilotage_model::{Inputs, ProxyClass, Snapshot, build as build_snapshot, view};
use pilotage_proto::ResourceSet;

pub(crate) const SERVICES: [usize; 3] = [10, 1_000, 10_000];

fn main() {
    divan::main();
}

fn objects(services: usize) -> Vec<Arc<Object>> {
    objects_of(&mesh::yaml(services))
}

fn objects_of(text: &str) -> Vec<Arc<Object>> {
    let loaded = load("mesh.yaml", text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics.first());
    loaded.objects.into_iter().map(Arc::new).collect()
}

fn snapshot(services: usize) -> Arc<Snapshot> {
    build_snapshot(&Inputs { objects: objects(services), mesh: MeshConfig::default() }).0
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
    bencher.bench_local(|| build_snapshot(black_box(&inputs)));
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

/// From all objects to what the sidecar is given, when one weight was edited.
#[divan::bench(args = SERVICES, max_time = 5)]
fn whole_edit(bencher: Bencher<'_, '_>, services: usize) {
    let (text, mesh) = (mesh::yaml(services), MeshConfig::default());
    let edited = text.replacen("weight: 80", "weight: 70", 1);
    let versions = [objects_of(&text), objects_of(&edited)];
    let mut versions = versions.iter().cycle();
    let mut pipeline = Pipeline::new(Identities { sidecar: Some(sidecar()), gateways: true });
    bencher.bench_local(|| {
        let objects = versions.next().expect("a cycle has no end");
        pipeline.compile(black_box(objects), &mesh)
    });
}
