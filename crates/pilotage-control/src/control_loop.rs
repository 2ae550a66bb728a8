//! The loop: events in, generations out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use pilotage_config::Diagnostic;
use pilotage_config::mesh::MeshConfig;

use crate::event::Event;
use crate::identities::Identities;
use crate::mesh_config::mesh_config;
use crate::pipeline::Pipeline;
use crate::publish::{Generation, Publisher};
use crate::report::{Problems, Published, Report};
use crate::source::{Batch, Change, Content, Outlet, Running, Source, SourceError, SourceName};
use crate::store::Store;
use crate::summary::Summary;

/// Hears what the loop has to tell. Called on the loop's thread, after publishing.
pub type Listener = Box<dyn FnMut(&Report) + Send>;

/// Turns what sources deliver into generations, and publishes them.
pub struct ControlLoop {
    events: Receiver<Event>,
    /// Sources that have not delivered yet: nothing is published before they have.
    awaited: BTreeSet<SourceName>,
    store: Store,
    /// Settings of the mesh from a file that was named for them.
    mesh: Option<MeshConfig>,
    mesh_problems: Vec<Diagnostic>,
    /// What only several objects together show to be wrong in the last generation.
    compiled_problems: Vec<Diagnostic>,
    pipeline: Pipeline,
    publisher: Box<dyn Publisher>,
    listener: Listener,
    number: u64,
    /// Texts of the problems of the last generation, so that each is told once.
    told: BTreeSet<String>,
    _sources: Vec<Running>,
}

/// Batches that are published together.
#[derive(Debug)]
struct Work {
    noticed: Instant,
    units: Vec<Arc<str>>,
    mesh_changed: bool,
}

/// Ends a loop, from any thread.
#[derive(Clone, Debug)]
pub struct StopLoop(Sender<Event>);

impl StopLoop {
    /// Makes the loop end.
    pub fn stop(&self) {
        // Nobody to stop when nobody receives.
        self.0.send(Event::Stop).ok();
    }
}

impl ControlLoop {
    /// A loop over `sources` for the proxies in `identities`. The sources start at once.
    ///
    /// # Errors
    /// When a source cannot start.
    pub fn new(
        sources: Vec<Box<dyn Source>>,
        identities: Identities,
        publisher: Box<dyn Publisher>,
        listener: Listener,
    ) -> Result<(Self, StopLoop), SourceError> {
        let (sender, events) = mpsc::channel();
        let awaited = sources.iter().map(|source| source.name()).collect();
        let mut running = Vec::new();
        for source in sources {
            running.push(source.start(Outlet::new(sender.clone()))?);
        }
        let this = Self {
            events,
            awaited,
            store: Store::default(),
            mesh: None,
            mesh_problems: Vec::new(),
            compiled_problems: Vec::new(),
            pipeline: Pipeline::new(identities),
            publisher,
            listener,
            number: 0,
            told: BTreeSet::new(),
            _sources: running,
        };
        Ok((this, StopLoop(sender)))
    }

    /// Runs until it is stopped.
    pub fn run(mut self) {
        let mut work: Option<Work> = None;
        loop {
            // What is waiting already joins the work; nothing is waited for while there is work to do.
            let event = match &work {
                Some(_) if self.awaited.is_empty() => self.events.try_recv().ok(),
                _ => Some(self.events.recv().unwrap_or(Event::Stop)),
            };
            match event {
                Some(Event::Batch(batch)) => self.take(batch, &mut work),
                Some(Event::Stop) => return,
                None => {
                    if let Some(work) = work.take() {
                        self.publish(work);
                    }
                }
            }
        }
    }

    fn take(&mut self, batch: Batch, work: &mut Option<Work>) {
        let Batch { source, changes, troubles, noticed } = batch;
        for text in troubles {
            (self.listener)(&Report::Trouble { source: source.clone(), text });
        }
        let work =
            work.get_or_insert_with(|| Work { noticed, units: Vec::new(), mesh_changed: false });
        for Change { unit, content } in changes {
            match content {
                Content::Objects(loaded) => self.store.load(Arc::clone(&unit), loaded),
                Content::Gone => self.store.remove(&unit),
                Content::Mesh(mesh, problems) => {
                    if !problems.iter().any(Diagnostic::is_error) {
                        self.mesh = Some(*mesh);
                        work.mesh_changed = true;
                    }
                    self.mesh_problems = problems;
                }
            }
            work.units.push(unit);
        }
        self.awaited.remove(&source);
    }

    fn publish(&mut self, work: Work) {
        let settled = self.store.settle();
        let summary = Summary::between(&settled.before, &settled.after);
        let (mesh, mut found) = match &self.mesh {
            Some(mesh) => (mesh.clone(), Vec::new()),
            None => mesh_config(self.store.objects()),
        };
        found.extend(self.mesh_problems.iter().cloned());
        if self.number > 0 && summary.is_empty() && !work.mesh_changed {
            let problems = self.problems(found, &work.units);
            // They persist, and were told.
            self.told.extend(self.compiled_problems.iter().map(key));
            (self.listener)(&Report::Unchanged { units: work.units, problems });
            return;
        }
        let compiled = self.pipeline.compile(self.store.in_order(), &mesh);
        self.number += 1;
        let (number, mesh) = (self.number, Arc::new(mesh));
        let known = self.pipeline.known();
        let generation = Generation { number, proxies: compiled, mesh, known };
        let refusals = self.publisher.publish(&generation);
        let took = work.noticed.elapsed();
        self.compiled_problems = self.pipeline.problems(self.store.in_order());
        found.extend(self.compiled_problems.iter().cloned());
        let published = Published {
            number: self.number,
            summary,
            objects: self.store.objects().len(),
            units: self.store.unit_count(),
            took,
            problems: self.problems(found, &work.units),
            refusals,
        };
        (self.listener)(&Report::Published(published));
    }

    /// What is wrong in the units that were loaded, and what else was not wrong before.
    fn problems(&mut self, found: Vec<Diagnostic>, units: &[Arc<str>]) -> Problems {
        let mut told = BTreeSet::new();
        let mut problems = Problems::default();
        for problem in self.store.problems().cloned().chain(found) {
            let key = key(&problem);
            let of_unit =
                problem.primary.as_ref().is_some_and(|label| units.contains(&label.source));
            let known = self.told.contains(&key) && !of_unit;
            if told.insert(key) && !known {
                problems.diagnostics.push(problem);
            }
        }
        for duplicate in self.store.duplicates() {
            let key = format!("{duplicate:?}");
            if !self.told.contains(&key) {
                problems.duplicates.push(duplicate.clone());
            }
            told.insert(key);
        }
        for object in self.store.kept_objects() {
            let (reference, unit) = (object.reference(), &object.source.file);
            let key = format!("kept {reference}");
            if !self.told.contains(&key) || units.contains(unit) {
                problems.kept.push(reference);
            }
            told.insert(key);
        }
        self.told = told;
        problems
    }
}

/// What makes a problem the same one as before. Its line does not: lines shift with every edit above.
fn key(problem: &Diagnostic) -> String {
    let Diagnostic { code, message, object, path, primary, .. } = problem;
    let object = object.as_ref().map(ToString::to_string).unwrap_or_default();
    let path = path.as_ref().map(ToString::to_string).unwrap_or_default();
    let file = primary.as_ref().map(|label| &*label.source).unwrap_or_default();
    format!("{code} {object} {path} {file} {message}")
}

impl std::fmt::Debug for ControlLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlLoop").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
