//! The HTTP path of a request: connection, head, decision, attempts, answer, and what is noted when it is over.

mod attempts;
mod body;
mod exchange;
mod head;
mod limit;
mod mirrors;
mod moment;
mod place;
mod plain;
mod replay;
mod server;
mod tail;
mod upgrade;

pub(crate) use body::{BodyError, RequestBody};
pub(crate) use head::Outgoing;
pub(crate) use moment::Moment;
pub(crate) use plain::manager as plain_manager;
pub(crate) use server::serve;
