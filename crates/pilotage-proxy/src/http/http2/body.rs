//! What arrives on a stream.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

use crate::http::BodyError;

/// The receiving half of a stream. The peer gets room for more as soon as a part is taken out, and parts are taken out
/// only when there is somewhere to put them.
#[derive(Debug)]
pub(crate) struct Http2Body {
    stream: RecvStream,
    /// Bytes that are still to come, when the head said how many.
    left: Option<u64>,
    data_ended: bool,
}

impl Http2Body {
    /// The body after a head with `headers`.
    pub(crate) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let left = length.and_then(|length| length.parse().ok());
        Self { stream, left, data_ended: false }
    }

    /// The next part. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(Ok(self.take(data)))),
                // The peer has said all it wants to say, and needs no more of us.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(broken(error)))),
                None => self.data_ended = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(broken(error))),
        })
    }

    /// Whether it is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        // Fails only for more than has arrived.
        self.stream.flow_control().release_capacity(data.len()).ok();
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        Frame::data(data)
    }
}

fn broken(error: h2::Error) -> BodyError {
    if error.is_reset() && error.is_remote() {
        return BodyError::Reset;
    }
    BodyError::Broken(Box::new(error))
}
