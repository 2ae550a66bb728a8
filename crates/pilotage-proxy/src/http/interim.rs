//! Telling a client to go on, while it waits for that before it sends its body.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;

use crate::http1::Waiting;

/// A client that waits to be told to go on.
#[derive(Clone, Debug)]
pub(crate) enum Interim {
    /// Over HTTP/1.
    Http1(Waiting),
    /// Over HTTP/2: whether it is to be told when the stream has its turn.
    Http2(Rc<Cell<bool>>),
}

impl Interim {
    /// Passes an interim answer on to the client; other ones than 100 are not for it.
    pub(crate) fn send(&self, status: StatusCode) {
        if status == StatusCode::CONTINUE {
            match self {
                Self::Http1(waiting) => waiting.go_on(),
                Self::Http2(due) => due.set(true),
            }
        }
    }
}
