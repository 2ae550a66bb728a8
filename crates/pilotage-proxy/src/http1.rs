//! HTTP/1.1, our own codec.
//!
//! The parts without sockets come first: [`scan`] finds the lines of a head, [`request`] and [`response`] say what they
//! mean, [`framing`] where a body ends, [`decoder`] and [`encoder`] turn bytes into bodies and back. [`stream`] is a
//! connection with its buffers, on either side. [`server`] is the task of one client connection, [`client`] one
//! request on an upstream connection: no task of its own, whoever wants the answer drives it.

mod client;
mod decoder;
mod encoder;
mod framing;
mod incoming;
mod output;
mod request;
mod response;
mod scan;
mod server;
mod settings;
mod spelling;
mod stream;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use client::Upstream;
pub(crate) use decoder::{Decoder, Piece};
pub(crate) use encoder::Encoder;
pub(crate) use framing::Framing;
pub(crate) use incoming::{ClientBody, Waiting};
pub(crate) use response::ResponseHead;
pub(crate) use scan::Limits;
pub(crate) use server::serve;
pub(crate) use settings::Settings;
pub(crate) use spelling::Spelling;
pub(crate) use stream::Stream;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// Not what the grammar of HTTP/1.1 allows, or two ways to say where a body ends.
    #[error("malformed message")]
    Malformed,
    /// The head is larger than it may be.
    #[error("headers too large")]
    TooLarge,
    /// The head has more headers than it may have.
    #[error("too many headers")]
    TooMany,
    /// The head was not complete in time.
    #[error("the head is late")]
    LateHead,
    /// The request was not complete in time, not even its head.
    #[error("the request is late")]
    LateRequest,
    /// The target has a fragment, which is nobody's business but the client's.
    #[error("a target with a fragment")]
    Fragment,
    /// A version that is not spoken here.
    #[error("unknown version")]
    Version,
    /// A transfer coding other than chunked.
    #[error("unsupported transfer encoding")]
    Coding,
}
