//! Workers in one task.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use super::{Desk, SPARE_WORKERS, Streams};

#[derive(Debug, Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A job waits until its gate is open.
#[derive(Debug, Default)]
struct Gate {
    open: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
    passed: Cell<u32>,
}

impl Gate {
    fn unlock(&self) {
        self.open.set(true);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

async fn worker(desk: Desk<Rc<Gate>>) -> Infallible {
    loop {
        let gate = desk.next().await;
        poll_fn(|cx| {
            if gate.open.get() {
                return Poll::Ready(());
            }
            *gate.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        gate.passed.set(gate.passed.get() + 1);
    }
}

#[test]
fn only_who_was_woken_has_a_turn() {
    let task = Arc::<Task>::default();
    let waker = Waker::from(Arc::clone(&task));
    let mut streams = Streams::new(worker);
    let first = streams.run();
    assert!(first.connection && first.any);
    assert!(streams.sleep(&waker));

    let gates = [(); 3].map(|()| Rc::<Gate>::default());
    for gate in &gates {
        streams.begin(Rc::clone(gate));
    }
    assert!(!streams.sleep(&waker), "there is something to do");
    streams.run();
    assert!(streams.sleep(&waker));
    let woken = task.0.load(Ordering::Relaxed);
    gates[1].unlock();
    gates[1].unlock();
    assert_eq!(task.0.load(Ordering::Relaxed), woken + 1);
    assert!(!streams.run().connection);
    assert_eq!([0, 1, 2].map(|gate| gates[gate].passed.get()), [0, 1, 0]);

    // The worker that is free takes the next job; nobody is hired.
    streams.begin(Rc::clone(&gates[1]));
    streams.run();
    assert_eq!((gates[1].passed.get(), streams.places.len()), (2, 3));
    streams.connection_waker().wake_by_ref();
    assert!(streams.run().connection);
}

#[test]
fn a_crowd_of_workers_is_not_kept() {
    let mut streams = Streams::new(worker);
    let gate = Rc::<Gate>::default();
    gate.unlock();
    for _ in 0..3 * SPARE_WORKERS {
        streams.begin(Rc::clone(&gate));
    }
    streams.run();
    let kept = streams.places.iter().filter(|place| place.worker.is_some()).count();
    assert_eq!(kept, SPARE_WORKERS);
    for _ in 0..2 * SPARE_WORKERS {
        streams.begin(Rc::clone(&gate));
    }
    streams.run();
    assert_eq!(gate.passed.get(), 5 * u32::try_from(SPARE_WORKERS).unwrap());
    assert_eq!(streams.places.len(), 3 * SPARE_WORKERS);
}
