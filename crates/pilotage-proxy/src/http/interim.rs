//! Answers that come before the answer: that the client may go on, and hints.

use std::cell::RefCell;
use std::rc::Rc;

use http::StatusCode;
use http::header::CONTENT_LENGTH;
use pilotage_engine::forwarded;
use pilotage_engine::headers::Headers;

use super::head::AnswerHead;
use crate::http1::Waiting;

/// A client that may get interim answers.
#[derive(Clone, Debug)]
pub(crate) enum Interim {
    /// Over HTTP/1.
    Http1(Waiting),
    /// Over HTTP/2: what it is to be told when the stream has its turn.
    Http2(Rc<RefCell<Vec<AnswerHead>>>),
}

impl Interim {
    /// Tells a client that waits for it to send its body.
    pub(super) fn go_on(&self) {
        self.tell(AnswerHead { status: StatusCode::CONTINUE, ..AnswerHead::default() });
    }

    fn tell(&self, head: AnswerHead) {
        match self {
            Self::Http1(waiting) => waiting.tell(&head),
            Self::Http2(due) => due.borrow_mut().push(head),
        }
    }
}

/// The interim answers of one upstream to one request.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    /// Whom to tell.
    client: Option<Interim>,
    /// There was one.
    any: bool,
}

impl Hints {
    /// For `client`, if they are wanted.
    pub(crate) fn new(client: Option<Interim>) -> Self {
        Self { client, any: false }
    }

    /// Whether somebody wants them.
    pub(crate) fn are_wanted(&self) -> bool {
        self.client.is_some()
    }

    /// Whether there was one.
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Passes one on. Of several the first counts, as in Envoy, and those of which it knows nothing never do.
    pub(crate) fn pass_on(&mut self, mut head: AnswerHead) {
        if !matches!(head.status.as_u16(), 100 | 102..=104) {
            return;
        }
        self.any = true;
        if let Some(client) = self.client.take() {
            forwarded::remove_hop_by_hop(&mut head.headers, &Headers::new());
            head.headers.remove(CONTENT_LENGTH);
            client.tell(head);
        }
    }
}
