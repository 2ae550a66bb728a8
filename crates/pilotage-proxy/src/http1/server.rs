//! One client connection: requests are read, handed to the exchange, and answered, one after the other, by one task.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::CONNECTION;
use http::{Method, Version};
use http_body::Body;

use super::MessageError;
use super::encoder::{self, Asker, Encoder};
use super::framing::Framing;
use super::incoming::{ClientBody, Side, Waiting};
use super::request::{self, Request, persistence};
use super::settings::Settings;
use super::stream::Stream;
use crate::drain::Open;
use crate::http::{
    AnswerHead, Client, Incoming, Interim, Keeper, Late, ResponseBody, handle, refuse,
};

/// How long a client may go on sending what nobody reads, so that the answer reaches it before the connection is
/// reset; Envoy's `delayed_close_timeout`.
const LINGER: Duration = Duration::from_secs(1);

/// Serves the requests on `stream` until it closes.
pub(crate) async fn serve(
    client: Rc<Client>,
    stream: Stream,
    settings: Settings,
    keeper: Keeper,
    open: &Open,
) {
    let side = Rc::new(RefCell::new(Side::new(stream, settings.trailers)));
    let server = Server { client, side, settings, keeper: RefCell::new(keeper), open };
    let end = server.run().await;
    if end == End::Linger {
        let lingering = poll_fn(|cx| server.poll_linger(cx));
        // A client that does not go is left behind.
        Box::pin(tokio::time::timeout(LINGER, lingering)).await.ok();
    }
}

struct Server<'o> {
    client: Rc<Client>,
    side: Rc<RefCell<Side>>,
    settings: Settings,
    keeper: RefCell<Keeper>,
    open: &'o Open,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing is left to be said by either side.
    Close,
    /// The client may still be sending.
    Linger,
}

/// What became of an answer.
enum Sent {
    /// The next request may come.
    Whole,
    /// It is the last one.
    Last,
    /// It broke off, so that the client must see the connection break off.
    Broken,
}

impl Server<'_> {
    async fn run(&self) -> End {
        loop {
            let request = match poll_fn(|cx| self.poll_request(cx)).await {
                Ok(Some(request)) => request,
                Ok(None) => return End::Close,
                Err(error) => {
                    if !matches!(error, MessageError::LateHead | MessageError::LateRequest) {
                        self.client.worker.metrics.shard.connections.protocol_errors.add(1);
                    }
                    let response = refuse(&self.client, error);
                    let asker = Asker {
                        head_only: false,
                        version: Version::HTTP_11,
                        persistent: false,
                        trailers: false,
                        names: self.settings.names,
                    };
                    self.send(response, asker).await.ok();
                    return End::Linger;
                }
            };
            let mut asker = Asker {
                head_only: request.head.method == Method::HEAD,
                version: request.head.version,
                persistent: request.persistent,
                trailers: self.settings.trailers,
                names: self.settings.names,
            };
            self.keeper.borrow_mut().begin();
            let mut handling = pin!(self.handle(request));
            let Some(response) = poll_fn(|cx| self.poll_answer(cx, handling.as_mut())).await else {
                return End::Close;
            };
            asker.persistent &= !self.open.is_draining() && !self.keeper.borrow().is_last();
            match self.send(response, asker).await {
                Ok(Sent::Whole) => {}
                Ok(Sent::Last) if self.side.borrow().decoder.is_done() => return End::Close,
                Ok(Sent::Last) => return End::Linger,
                Ok(Sent::Broken) | Err(_) => return End::Close,
            }
            let side = &mut *self.side.borrow_mut();
            if !side.decoder.is_done() {
                return End::Linger;
            }
            side.stream.shrink();
        }
    }

    /// The next request; `None` when the client has closed, or nothing has begun and the worker drains.
    fn poll_request(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Request>, MessageError>> {
        let stream = &mut self.side.borrow_mut().stream;
        loop {
            if let Some(request) = stream.head(self.settings.limits, |scanner, head| {
                request::parse(scanner, head, self.settings.names)
            })? {
                return Poll::Ready(Ok(Some(request)));
            }
            let draining = self.open.poll_draining(cx);
            if draining && stream.input.is_empty() {
                return Poll::Ready(Ok(None));
            }
            let Poll::Ready(filled) = stream.poll_fill(cx) else {
                let keeper = &mut *self.keeper.borrow_mut();
                if stream.input.is_empty() {
                    return match keeper.poll_idle(cx) {
                        true => Poll::Ready(Ok(None)),
                        false => Poll::Pending,
                    };
                }
                return match keeper.poll_head(cx) {
                    Some(Late::Head) => Poll::Ready(Err(MessageError::LateHead)),
                    Some(Late::Request) => Poll::Ready(Err(MessageError::LateRequest)),
                    None => Poll::Pending,
                };
            };
            match filled {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn handle(&self, request: Request) -> impl Future<Output = (AnswerHead, ResponseBody)> {
        let Request { mut head, framing, .. } = request;
        // What comes after a change of protocol has no end but that of the connection.
        let framing = if head.upgrade { Framing::UntilClose } else { framing };
        self.side.borrow_mut().begin(framing);
        let body =
            (framing != Framing::Empty).then(|| Incoming::Http1(ClientBody(Rc::clone(&self.side))));
        if head.expects_continue || self.settings.interim {
            let names = self.settings.names;
            let waiting = Waiting { side: Rc::clone(&self.side), version: head.version, names };
            head.interim = Some(Interim::Http1(waiting));
        }
        handle(Rc::clone(&self.client), head, body)
    }

    /// The answer; `None` when the client has left, so that nobody wants it any more.
    fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        handling: Pin<&mut impl Future<Output = (AnswerHead, ResponseBody)>>,
    ) -> Poll<Option<(AnswerHead, ResponseBody)>> {
        let answered = handling.poll(cx);
        let side = &mut *self.side.borrow_mut();
        if side.gone {
            return Poll::Ready(None);
        }
        match answered {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => {
                // Interim answers; errors show when the client is read.
                let _pending = side.stream.poll_flush(cx).is_pending();
                if side.poll_gone(cx) { Poll::Ready(None) } else { Poll::Pending }
            }
        }
    }

    /// Writes an answer as it comes.
    async fn send(
        &self,
        (head, mut body): (AnswerHead, ResponseBody),
        mut asker: Asker,
    ) -> io::Result<Sent> {
        if head.headers.get(CONNECTION).and_then(persistence) == Some(false) {
            asker.persistent = false;
        }
        let mut sending = {
            let output = &mut self.side.borrow_mut().stream.output;
            Sending {
                encoder: encoder::response(&head, !body.is_end_stream(), asker, output),
                ended: false,
                broken: false,
            }
        };
        poll_fn(|cx| self.poll_send(cx, &mut body, &mut sending)).await?;
        if sending.broken {
            return Ok(Sent::Broken);
        }
        let last = !asker.persistent || sending.encoder.is_until_close();
        Ok(if last { Sent::Last } else { Sent::Whole })
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        body: &mut ResponseBody,
        sending: &mut Sending,
    ) -> Poll<io::Result<()>> {
        loop {
            let waiting = self.take_frames(cx, body, sending);
            let flushed = self.side.borrow_mut().stream.poll_flush(cx)?;
            if flushed.is_pending() {
                // The upload goes on, or a client that first writes and then reads would wait for ever.
                body.poll_upload(cx);
                return Poll::Pending;
            }
            if sending.ended {
                return Poll::Ready(Ok(()));
            }
            if waiting {
                if self.side.borrow_mut().poll_gone(cx) {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                return Poll::Pending;
            }
        }
    }

    /// Moves parts of the body to the output as long as there is room. Says whether the next part is awaited.
    fn take_frames(
        &self,
        cx: &mut Context<'_>,
        body: &mut ResponseBody,
        sending: &mut Sending,
    ) -> bool {
        while !sending.ended && self.side.borrow().stream.output.has_room() {
            // The body may read from the client meanwhile, so nothing of the connection is held here.
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { return true };
            let output = &mut self.side.borrow_mut().stream.output;
            let encoded = match frame {
                Some(Ok(frame)) => sending.encoder.frame(frame, output).is_ok(),
                None => {
                    sending.ended = true;
                    sending.encoder.end(output).is_ok()
                }
                Some(Err(_)) => false,
            };
            if !encoded {
                sending.ended = true;
                sending.broken = true;
            }
        }
        false
    }

    /// Lets the client finish what it is saying, and see what was said to it.
    fn poll_linger(&self, cx: &mut Context<'_>) -> Poll<()> {
        let stream = &mut self.side.borrow_mut().stream;
        if ready!(stream.poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        loop {
            stream.input.clear();
            if !matches!(ready!(stream.poll_fill(cx)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
    }
}

/// An answer on its way.
struct Sending {
    encoder: Encoder,
    /// The body has ended, well or not.
    ended: bool,
    broken: bool,
}
