//! Heads of requests that do not end. The codec tells of a request when its head is complete and of nothing before, so
//! frames are looked at on their way to it, where a listener limits how long a head may take.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use crate::transport::writes_as_below;

/// What a client says first: `PRI * HTTP/2.0…`.
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Since when the head of a request is arriving; nothing while none is.
pub(in crate::http) type HeadSince = Rc<Cell<Option<Instant>>>;

/// A client's stream that is watched while it is read.
#[derive(Debug)]
pub(in crate::http) struct Watched<S> {
    stream: S,
    frames: Frames,
    since: HeadSince,
}

impl<S> Watched<S> {
    /// `stream`, of which nothing was read yet.
    pub(in crate::http) fn new(stream: S) -> Self {
        Self { stream, frames: Frames::default(), since: HeadSince::default() }
    }

    /// What it sees.
    pub(in crate::http) fn since(&self) -> HeadSince {
        Rc::clone(&self.since)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.frames.read(buf.filled().get(before..).unwrap_or_default());
        if !self.frames.in_head {
            self.since.set(None);
        } else if self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
        read
    }
}

writes_as_below!(Watched);

/// Where in its frames a client is.
#[derive(Debug)]
struct Frames {
    /// Bytes of a frame that are still to come and not looked at.
    skip: usize,
    /// The beginning of the next one, as far as it has come.
    head: [u8; FRAME_HEAD_BYTES],
    known: usize,
    /// The head of a request has begun and not ended.
    in_head: bool,
    /// It ends with this frame.
    ends: bool,
    /// The latest stream; heads of earlier ones are trailers.
    latest: u32,
}

impl Default for Frames {
    fn default() -> Self {
        let head = [0; FRAME_HEAD_BYTES];
        Self { skip: PREFACE_BYTES, head, known: 0, in_head: false, ends: false, latest: 0 }
    }
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                bytes = bytes.get(count..).unwrap_or_default();
                self.skip -= count;
                self.end_head();
                continue;
            }
            let wanted = self.head.get_mut(self.known..).unwrap_or_default();
            let count = wanted.len().min(bytes.len());
            if let (Some(to), Some(from)) = (wanted.get_mut(..count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            bytes = bytes.get(count..).unwrap_or_default();
            self.known += count;
            if self.known == FRAME_HEAD_BYTES {
                self.known = 0;
                self.begin_frame();
            }
        }
    }

    fn begin_frame(&mut self) {
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = self.head;
        self.skip = usize::from(l1) << 16 | usize::from(l2) << 8 | usize::from(l3);
        let stream = u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]);
        if kind == HEADERS && stream > self.latest {
            self.latest = stream;
            self.in_head = true;
        }
        self.ends =
            self.in_head && matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
        self.end_head();
    }

    fn end_head(&mut self) {
        if self.ends && self.skip == 0 {
            self.in_head = false;
            self.ends = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTINUATION, END_HEADERS, Frames, HEADERS};

    fn frame(kind: u8, flags: u8, stream: u32, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.resize(bytes.len() + usize::from(length), 0xff);
        bytes
    }

    /// Where a head is arriving after each of these parts, however they are cut.
    fn arriving(parts: &[Vec<u8>]) -> Vec<bool> {
        let of_step = |step: usize| {
            let mut frames = Frames::default();
            frames.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            let seen = parts.iter().map(|part| {
                part.chunks(step).for_each(|chunk| frames.read(chunk));
                frames.in_head
            });
            seen.collect::<Vec<_>>()
        };
        let whole = of_step(usize::MAX);
        for step in [1, 2, 7, 10] {
            assert_eq!(of_step(step), whole, "in steps of {step}");
        }
        whole
    }

    #[test]
    fn a_head_arrives_until_its_last_frame_has() {
        let settings = frame(4, 0, 0, 6);
        let whole = frame(HEADERS, END_HEADERS, 1, 20);
        let (begun, end) = whole.split_at(12);
        assert_eq!(arriving(&[settings, begun.to_vec(), end.to_vec()]), [false, true, false]);
        let parts = [
            frame(HEADERS, 0, 3, 5),
            frame(CONTINUATION, 0, 3, 0),
            frame(CONTINUATION, END_HEADERS, 3, 0),
            frame(0, 0, 3, 200),
        ];
        assert_eq!(arriving(&parts), [true, true, false, false]);
    }

    #[test]
    fn trailers_are_no_head() {
        let parts =
            [frame(HEADERS, END_HEADERS, 5, 1), frame(HEADERS, 1, 5, 9), frame(HEADERS, 1, 7, 9)];
        assert_eq!(arriving(&parts), [false, false, true]);
    }
}
