//! TLS: carrying out what the engine describes, with rustls.
//!
//! [`TlsStore`] turns descriptions and secrets into rustls configurations, once for all workers, and keeps the last good
//! one where a certificate becomes unusable. [`accept`] ends TLS on a client's connection, [`connect`] begins it on one
//! to an upstream.

mod accept;
mod connect;
mod facts;
mod files;
mod material;
mod parameters;
mod pem;
mod reason;
mod server;
mod store;
mod subject;
#[cfg(test)]
mod tests;
mod upstream;
mod verify;

pub(crate) use self::accept::accept;
pub(crate) use self::connect::{connect, host_of};
pub(crate) use self::facts::TlsFacts;
pub use self::store::TlsProblem;
pub(crate) use self::store::TlsStore;
