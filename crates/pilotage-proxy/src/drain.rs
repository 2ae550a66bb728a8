//! Draining: no new connections, `connection: close` or GOAWAY on the open ones, and one deadline after which
//! whatever is left is closed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The drain state of one worker, and the wakers of its client connections.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    draining: Cell<bool>,
    connections: RefCell<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
    open: usize,
    when_empty: Option<Waker>,
}

/// One open client connection. Dropping it says that the connection is gone.
#[derive(Debug)]
pub(crate) struct Open {
    drain: Rc<Drain>,
    slot: usize,
    registered: Cell<bool>,
    told: Cell<bool>,
}

impl Drain {
    /// Counts a new connection.
    pub(crate) fn open(self: &Rc<Self>) -> Open {
        let mut connections = self.connections.borrow_mut();
        connections.open += 1;
        let slot = connections.free.pop().unwrap_or_else(|| {
            connections.slots.push(None);
            connections.slots.len() - 1
        });
        Open { drain: Rc::clone(self), slot, registered: Cell::new(false), told: Cell::new(false) }
    }

    /// How many client connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.borrow().open
    }

    /// Starts to drain: every connection is woken, and asks [`Open::should_close`].
    pub(crate) fn start(&self) {
        self.draining.set(true);
        let wakers: Vec<Waker> =
            self.connections.borrow_mut().slots.iter_mut().filter_map(Option::take).collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        std::future::poll_fn(|cx| {
            let mut connections = self.connections.borrow_mut();
            if connections.open == 0 {
                return Poll::Ready(());
            }
            connections.when_empty = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Open {
    /// Whether the connection should finish what it has begun and close; true once. Costs one read of a cell when
    /// nothing is draining.
    pub(crate) fn should_close(&self, cx: &Context<'_>) -> bool {
        if self.drain.draining.get() {
            return !self.told.replace(true);
        }
        if !self.registered.replace(true)
            && let Some(slot) = self.drain.connections.borrow_mut().slots.get_mut(self.slot)
        {
            // A connection is one task, whose waker stays the same for its whole life.
            *slot = Some(cx.waker().clone());
        }
        false
    }
}

impl Open {
    /// Whether the worker drains. If not, the task is woken when it begins to.
    pub(crate) fn poll_draining(&self, cx: &Context<'_>) -> bool {
        self.should_close(cx) || self.is_draining()
    }

    /// Whether the worker drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.draining.get()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut connections = self.drain.connections.borrow_mut();
        connections.open -= 1;
        if let Some(slot) = connections.slots.get_mut(self.slot) {
            *slot = None;
        }
        connections.free.push(self.slot);
        let waker = if connections.open == 0 { connections.when_empty.take() } else { None };
        drop(connections);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Poll;

    use super::Drain;

    #[tokio::test]
    async fn draining_wakes_connections_and_waits_for_them() {
        let drain = Rc::new(Drain::default());
        let open = drain.open();
        let connection = async move {
            poll_fn(|cx| if open.should_close(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        };
        let drainer = async {
            assert_eq!(drain.open_connections(), 1);
            drain.start();
            drain.empty().await;
        };
        tokio::join!(connection, drainer);
        assert_eq!(drain.open_connections(), 0);
    }
}
