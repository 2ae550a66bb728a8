//! One request on an upstream connection: sent, and its answer read, by whoever polls it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::decoder::{Decoder, Piece};
use super::encoder::{self, Encoder};
use super::framing::Framing;
use super::settings::Settings;
use super::stream::Stream;
use crate::failure::Failure;
use crate::http::{AnswerHead, BodyError, Hints, Outgoing, RequestBody};
use crate::transport::Connection;

/// An upstream connection, with the request that is on it.
#[derive(Debug)]
pub(crate) struct Upstream {
    stream: Stream,
    upload: Option<Upload>,
    /// Reads the body of the answer, once its head has come.
    decoder: Option<Decoder>,
    /// The request is HEAD.
    to_head: bool,
    /// The upstream is willing to use the connection again.
    persistent: bool,
    /// The request was cut short, so that the connection is of no further use.
    cut: bool,
    /// Our direction of the connection is to end, because that of the client has.
    shutting_down: bool,
    interim: Hints,
    settings: Settings,
}

/// What is left to be sent.
#[derive(Debug)]
struct Upload {
    body: RequestBody,
    encoder: Encoder,
}

impl Upstream {
    /// A new connection.
    pub(crate) fn new(connection: Connection, settings: Settings) -> Self {
        Self {
            stream: Stream::new(connection, BytesMut::new()),
            upload: None,
            decoder: None,
            to_head: false,
            persistent: true,
            cut: false,
            shutting_down: false,
            interim: Hints::default(),
            settings,
        }
    }

    /// Whether the connection, on which nothing is under way, is as it should be: open, and nothing has come that
    /// nobody asked for.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Begins a request. Nothing is sent yet.
    pub(crate) fn begin(&mut self, head: Outgoing, body: RequestBody) {
        let has_body = !body.is_end_stream();
        self.stream.output.begin();
        let names = self.settings.names;
        let encoder = encoder::request(&head, has_body, names, &mut self.stream.output);
        let encoder = encoder.with_trailers(self.settings.trailers);
        self.upload = has_body.then_some(Upload { body, encoder });
        self.decoder = None;
        self.to_head = head.method == Method::HEAD;
        self.interim = Hints::new(head.interim);
    }

    /// Whether not a byte of the request has left.
    pub(crate) fn is_unsent(&self) -> bool {
        self.stream.output.is_untouched()
    }

    /// Sends, and waits for the head of the answer.
    ///
    /// # Errors
    /// When there will be none.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerHead, Failure>> {
        loop {
            self.poll_upload(cx)?;
            let Settings { limits, names, .. } = self.settings;
            let head = self.stream.response(limits, names, self.to_head);
            if let Some(head) = head.map_err(|_| Failure::Protocol)? {
                let status = head.head.status;
                if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                    self.interim.pass_on(head.head);
                    continue;
                }
                self.persistent = head.persistent;
                self.decoder = Some(Decoder::new(head.framing));
                return Poll::Ready(Ok(head.head));
            }
            match ready!(self.stream.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Termination)),
            }
        }
    }

    /// Both sides have changed to another protocol: from here on `body` is sent as it comes, and the answer's body is
    /// what comes back.
    pub(crate) fn tunnel(&mut self, body: RequestBody) {
        self.upload = Some(Upload { body, encoder: Encoder::new(Framing::UntilClose) });
        self.decoder = Some(Decoder::new(Framing::UntilClose));
    }

    /// The next part of the answer's body. After an error or `None` there is no more.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_upload_only(cx);
        let Some(decoder) = &mut self.decoder else { return Poll::Ready(None) };
        loop {
            match decoder.decode(&mut self.stream.input) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(_unwanted)) if !self.settings.trailers => {
                    return Poll::Ready(None);
                }
                Ok(Piece::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Piece::End) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(BodyError::Malformed(error)))),
                Ok(Piece::More) => match ready!(self.stream.poll_fill(cx)) {
                    Ok(1..) => {}
                    Ok(0) if decoder.end_of_input() => return Poll::Ready(None),
                    Ok(0) => return Poll::Ready(Some(Err(BodyError::Ended))),
                    Err(error) => {
                        return Poll::Ready(Some(Err(BodyError::Broken(error.into()))));
                    }
                },
            }
        }
    }

    /// Sends what can be sent now. An upstream that stops reading may still answer, so that is no error.
    ///
    /// # Errors
    /// When the body cannot be read.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        loop {
            let waiting = self.take_frames(cx)?;
            match self.stream.poll_flush(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => {
                    self.upload = None;
                    self.cut = true;
                    return Ok(());
                }
                Poll::Ready(Ok(())) => {}
            }
            if self.shutting_down && self.stream.poll_shutdown(cx).is_ready() {
                self.shutting_down = false;
            }
            if waiting || self.upload.is_none() {
                return Ok(());
            }
        }
    }

    /// Moves parts of the body to the output as long as there is room. Says whether the next part is awaited.
    fn take_frames(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        while let Some(upload) = &mut self.upload
            && self.stream.output.has_room()
        {
            let body = Pin::new(&mut upload.body);
            let Poll::Ready(frame) = body.poll_frame(cx) else { return Ok(true) };
            match frame {
                Some(Ok(frame)) => {
                    let encoded = upload.encoder.frame(frame, &mut self.stream.output);
                    encoded.map_err(|_| Failure::Downstream)?;
                }
                Some(Err(error)) => return Err(error.failure()),
                None => {
                    let ended = upload.encoder.end(&mut self.stream.output);
                    ended.map_err(|_| Failure::Downstream)?;
                    self.shutting_down = upload.encoder.is_until_close();
                    self.upload = None;
                }
            }
        }
        Ok(false)
    }

    /// As [`Upstream::poll_upload`], where an answer has begun, which says more than the end of the request.
    pub(crate) fn poll_upload_only(&mut self, cx: &mut Context<'_>) {
        if self.poll_upload(cx).is_err() {
            self.cut = true;
            self.upload = None;
        }
    }

    /// Whether an interim answer has come that is meant for the client.
    pub(crate) fn has_hinted(&self) -> bool {
        self.interim.any()
    }

    /// Whether the answer's body is known to have no further part.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.decoder.as_ref().is_none_or(Decoder::is_done)
    }

    /// What is known of the number of bytes that are still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let left = self.decoder.as_ref().and_then(Decoder::left);
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// The request is over. Whether the connection can take another one.
    pub(crate) fn finish(&mut self) -> bool {
        self.interim = Hints::default();
        self.persistent
            && !self.cut
            && self.upload.is_none()
            && self.is_end_stream()
            && self.stream.rest()
    }
}
