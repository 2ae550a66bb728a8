//! Bodies as they come in: bytes to data and trailers, without sockets.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use memchr::memchr;

use super::MessageError;
use super::framing::Framing;
use super::scan::{Limits, Scanner};

/// The line before a chunk, with extensions that nobody reads.
const MAX_CHUNK_LINE_BYTES: usize = 4096;

/// Reads one body.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Length(u64),
    ChunkSize,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    ChunkEnd,
    Trailers(Scanner),
    UntilClose,
    Done,
}

/// What is next of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Some bytes, not none.
    Data(Bytes),
    /// Trailers; the end comes with them.
    Trailers(HeaderMap),
    /// Not known before more bytes have arrived.
    More,
    /// Nothing.
    End,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Takes the next piece out of `input`.
    ///
    /// # Errors
    /// When the body is not chunked as it says it is.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Piece, MessageError> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Piece::End),
                State::Length(left) => {
                    let data = take(input, left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(data);
                }
                State::UntilClose => {
                    let mut endless = u64::MAX;
                    return Ok(take(input, &mut endless));
                }
                State::ChunkSize => {
                    let Some(size) = chunk_size(input)? else { return Ok(Piece::More) };
                    self.state = match size {
                        0 => State::Trailers(Scanner::of_trailers()),
                        size => State::Chunk(size),
                    };
                }
                State::Chunk(left) => {
                    let data = take(input, left);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(data);
                }
                State::ChunkEnd => {
                    match input.get(..2) {
                        None => return Ok(Piece::More),
                        Some(b"\r\n") => input.advance(2),
                        Some(_) => return Err(MessageError::Malformed),
                    }
                    self.state = State::ChunkSize;
                }
                State::Trailers(scanner) => {
                    let Some(end) = scanner.scan(input, Limits::default())? else {
                        return Ok(Piece::More);
                    };
                    let section = input.split_to(end).freeze();
                    let trailers: HeaderMap = scanner.fields(&section).collect::<Result<_, _>>()?;
                    self.state = State::Done;
                    let none = trailers.is_empty();
                    return Ok(if none { Piece::End } else { Piece::Trailers(trailers) });
                }
            }
        }
    }

    /// Whether nothing more belongs to the body.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The connection has ended. Says whether the body ends with it as it should.
    pub(crate) fn end_of_input(&mut self) -> bool {
        if matches!(self.state, State::UntilClose) {
            self.state = State::Done;
        }
        self.is_done()
    }

    /// How many bytes are still to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match &self.state {
            State::Done => Some(0),
            State::Length(left) => Some(*left),
            _ => None,
        }
    }
}

/// Up to `left` bytes of `input`, which are subtracted.
fn take(input: &mut BytesMut, left: &mut u64) -> Piece {
    if input.is_empty() {
        return Piece::More;
    }
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= count as u64;
    Piece::Data(input.split_to(count).freeze())
}

/// Takes the line before a chunk.
fn chunk_size(input: &mut BytesMut) -> Result<Option<u64>, MessageError> {
    let Some(end) = memchr(b'\n', input) else {
        return if input.len() > MAX_CHUNK_LINE_BYTES {
            Err(MessageError::TooLarge)
        } else {
            Ok(None)
        };
    };
    let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(MessageError::Malformed)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at_checked(digits).ok_or(MessageError::Malformed)?;
    // What follows the size is an extension, and no second line that somebody else might see in it.
    let begins_well = matches!(extension.trim_ascii_start().first(), None | Some(b';'));
    if !begins_well || extension.contains(&b'\r') || !(1..=16).contains(&digits) {
        return Err(MessageError::Malformed);
    }
    let size = std::str::from_utf8(size).map_err(|_| MessageError::Malformed)?;
    let size = u64::from_str_radix(size, 16).map_err(|_| MessageError::Malformed)?;
    input.advance(end + 1);
    Ok(Some(size))
}
