//! Many futures in one task, each polled only when it was woken.
//!
//! A future here is a worker that takes one job after another and stays where it is: a request costs neither an
//! allocation nor a copy of the large state that handling it needs.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Workers without a job that are kept for the next ones.
const SPARE_WORKERS: usize = 16;
/// The place of the connection itself among those that can be woken.
const CONNECTION: usize = usize::MAX;

/// Where a worker finds its jobs.
pub(super) struct Desk<J>(Rc<Top<J>>);

/// What lies on a desk.
struct Top<J> {
    /// A job that nobody has begun.
    job: Cell<Option<J>>,
    /// The worker waits for the next one.
    idle: Cell<bool>,
}

impl<J> Desk<J> {
    /// The next job. Asking for it says that the one before is done.
    pub(super) async fn next(&self) -> J {
        poll_fn(|_| {
            let job = self.0.job.take();
            self.0.idle.set(job.is_none());
            job.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl<J> fmt::Debug for Desk<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// The streams of a connection: workers of type `F` with jobs of type `J`, hired by `H` when there is more to do.
pub(super) struct Streams<J, F, H> {
    hire: H,
    places: Vec<Place<J, F>>,
    /// Places whose worker has nothing to do, and places without a worker.
    idle: Vec<usize>,
    empty: Vec<usize>,
    woken: Arc<Woken>,
    /// Those whose turn it is; kept for its memory.
    turn: Vec<usize>,
    connection: Arc<Signal>,
    connection_waker: Waker,
}

struct Place<J, F> {
    worker: Option<Pin<Box<F>>>,
    desk: Rc<Top<J>>,
    signal: Arc<Signal>,
    waker: Waker,
}

/// What happened in a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// The connection was woken.
    pub(super) connection: bool,
    /// Anything was woken.
    pub(super) any: bool,
}

impl<J, F, H> Streams<J, F, H>
where
    F: Future<Output = Infallible>,
    H: Fn(Desk<J>) -> F,
{
    /// No streams yet. The connection itself is the first to have its turn.
    pub(super) fn new(hire: H) -> Self {
        let woken = Arc::<Woken>::default();
        let signal = Signal::new(CONNECTION, &woken);
        signal.raise();
        Self {
            hire,
            places: Vec::new(),
            idle: Vec::new(),
            empty: Vec::new(),
            woken,
            turn: Vec::new(),
            connection_waker: Arc::clone(&signal).into(),
            connection: signal,
        }
    }

    /// Wakes the connection: what its own futures are to be polled with.
    pub(super) fn connection_waker(&self) -> &Waker {
        &self.connection_waker
    }

    /// Whether no job is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.idle.len() + self.empty.len() == self.places.len()
    }

    /// Gives `job` to a worker, whose turn comes next.
    pub(super) fn begin(&mut self, job: J) {
        let index = self.idle.pop().or_else(|| self.empty.pop()).unwrap_or_else(|| {
            self.places.push(Place::new(self.places.len(), &self.woken));
            self.places.len() - 1
        });
        let Some(place) = self.places.get_mut(index) else { return };
        place.desk.job.set(Some(job));
        place.desk.idle.set(false);
        if place.worker.is_none() {
            place.worker = Some(Box::pin((self.hire)(Desk(Rc::clone(&place.desk)))));
        }
        place.signal.raise();
    }

    /// Polls every worker that was woken.
    pub(super) fn run(&mut self) -> Turn {
        std::mem::swap(&mut self.woken.lock().places, &mut self.turn);
        let mut turn = Turn { connection: false, any: !self.turn.is_empty() };
        let mut woken = std::mem::take(&mut self.turn);
        for index in woken.drain(..) {
            match self.places.get_mut(index) {
                Some(place) => {
                    if place.run() {
                        self.dismiss(index);
                    }
                }
                None => {
                    self.connection.lower();
                    turn.connection = true;
                }
            }
        }
        self.turn = woken;
        turn
    }

    /// Lets `task` be woken by whoever is woken in it; false when somebody has been already.
    pub(super) fn sleep(&self, task: &Waker) -> bool {
        let mut state = self.woken.lock();
        if !state.places.is_empty() {
            return false;
        }
        if !state.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            state.task = Some(task.clone());
        }
        state.asleep = true;
        true
    }

    fn dismiss(&mut self, index: usize) {
        if self.idle.len() < SPARE_WORKERS {
            self.idle.push(index);
            return;
        }
        if let Some(place) = self.places.get_mut(index) {
            place.worker = None;
        }
        self.empty.push(index);
    }
}

impl<J, F, H> fmt::Debug for Streams<J, F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("places", &self.places.len()).finish_non_exhaustive()
    }
}

impl<J, F: Future<Output = Infallible>> Place<J, F> {
    fn new(index: usize, woken: &Arc<Woken>) -> Self {
        let signal = Signal::new(index, woken);
        let waker = Arc::clone(&signal).into();
        let desk = Rc::new(Top { job: Cell::new(None), idle: Cell::new(true) });
        Self { worker: None, desk, signal, waker }
    }

    /// Polls the worker; true when it has become idle.
    fn run(&mut self) -> bool {
        self.signal.lower();
        let Some(worker) = &mut self.worker else { return false };
        if self.desk.idle.get() {
            // Woken late, by something that its last job was waiting for.
            return false;
        }
        let Poll::Pending = worker.as_mut().poll(&mut Context::from_waker(&self.waker));
        self.desk.idle.get()
    }
}

/// Who was woken in a task.
#[derive(Debug, Default)]
struct Woken(Mutex<WokenState>);

#[derive(Debug, Default)]
struct WokenState {
    places: Vec<usize>,
    /// Wakes the task. It need not be woken while it runs.
    task: Option<Waker>,
    asleep: bool,
}

impl Woken {
    fn lock(&self) -> MutexGuard<'_, WokenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What wakes one place in a task.
#[derive(Debug)]
struct Signal {
    place: usize,
    raised: AtomicBool,
    woken: Arc<Woken>,
}

impl Signal {
    fn new(place: usize, woken: &Arc<Woken>) -> Arc<Self> {
        Arc::new(Self { place, raised: AtomicBool::new(false), woken: Arc::clone(woken) })
    }

    fn raise(&self) {
        if self.raised.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.woken.lock();
        state.places.push(self.place);
        if std::mem::take(&mut state.asleep) {
            let task = state.task.clone();
            drop(state);
            if let Some(task) = task {
                task.wake();
            }
        }
    }

    fn lower(&self) {
        self.raised.store(false, Ordering::Release);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}

#[cfg(test)]
mod tests;
