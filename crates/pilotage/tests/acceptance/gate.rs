//! Holding answers back until a test lets them go.

use std::sync::{Arc, Condvar, Mutex};

/// A gate that answers wait at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.arrived += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.open).unwrap());
    }

    /// Waits until so many have come to the gate.
    pub(crate) fn arrived(&self, count: usize) {
        let (state, changed) = &*self.0;
        drop(changed.wait_while(state.lock().unwrap(), |state| state.arrived < count).unwrap());
    }

    /// Lets everybody pass, from now on.
    pub(crate) fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().open = true;
        changed.notify_all();
    }

    /// Holds everybody, and counts again.
    pub(crate) fn close(&self) {
        *self.0.0.lock().unwrap() = State::default();
    }
}
