//! HTTP/2: its frames are the `h2` crate's, its streams are ours.
//!
//! A client's connection is one task, in which its streams are polled too ([`server`], [`streams`]): nothing is
//! spawned, boxed or sent through a channel for a request, and what several streams have to say leaves in one write.
//! Towards upstreams see [`crate::pool`].

mod body;
pub(crate) mod extended;
mod head_watch;
mod keepalive;
mod pump;
mod server;
mod streams;

pub(crate) use body::Http2Body;
pub(super) use head_watch::Watched;
pub(crate) use keepalive::KeepAlive;
pub(crate) use pump::{Pump, PumpError};
pub(super) use server::serve;

/// What a peer may send on one stream before we have read it, where configuration does not say.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// What a peer may send on one connection before we have read it, where configuration does not say.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// What is written for one stream at most while its peer reads slowly, before more is asked for.
pub(crate) const SEND_BUFFER_BYTES: usize = 256 * 1024;
