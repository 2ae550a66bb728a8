//! The HTTP path of a request: connection, head, decision, attempts, answer, and what is noted when it is over.

mod attempts;
mod body;
mod client;
mod detect;
mod exchange;
mod head;
mod http2;
mod interim;
mod keeping;
mod limit;
mod mirrors;
mod moment;
mod place;
mod placing;
mod plain;
mod replay;
mod server;
mod tail;

pub(crate) use body::{BodyError, Incoming, RequestBody, ResponseBody};
pub(crate) use client::Client;
pub(crate) use exchange::{handle, refuse};
pub(crate) use head::{AnswerHead, Head, Outgoing};
pub(crate) use http2::{
    CONNECTION_WINDOW_BYTES, Http2Body, KeepAlive, Pump, PumpError, SEND_BUFFER_BYTES,
    STREAM_WINDOW_BYTES, extended,
};
pub(crate) use interim::{Hints, Interim};
pub(crate) use keeping::{Keeper, Late};
pub(crate) use moment::Moment;
pub(crate) use plain::manager as plain_manager;
pub(crate) use server::serve;
