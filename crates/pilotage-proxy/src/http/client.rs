//! A client connection, as its requests know it.

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::rc::Rc;

use http::HeaderValue;

use super::place::Memo;
use crate::connection::Arrival;
use crate::worker::Worker;

/// A client connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    pub(super) memo: Memo,
    /// What `x-forwarded-for` is told of the peer, for the local address of the first request.
    pub(super) forwarded_for: OnceCell<(IpAddr, HeaderValue)>,
    /// Why the stream was reset whose request is being dropped.
    reset: Cell<Option<&'static str>>,
}

impl Client {
    pub(super) fn new(worker: Rc<Worker>, arrival: Arrival) -> Self {
        Self {
            worker,
            arrival,
            memo: Memo::default(),
            forwarded_for: OnceCell::new(),
            reset: Cell::new(None),
        }
    }

    /// Drops a request with `drop`, which ends as one whose stream was reset, for this reason in Envoy's words; as one
    /// whose client went away where there is none.
    pub(super) fn reset(&self, reason: Option<&'static str>, drop: impl FnOnce()) {
        self.reset.set(reason);
        drop();
        self.reset.set(None);
    }

    /// Why the stream was reset whose request is being dropped; `None` where the client went away.
    pub(super) fn reset_reason(&self) -> Option<&'static str> {
        self.reset.get()
    }
}
