//! The data plane: workers with their own sockets and pools, HTTP in both versions, access log, metrics, admin.
//!
//! Every decision is the engine's ([`pilotage_engine::decide`]); this crate waits, connects, copies and counts.
//! [`Proxy::start`] starts it; whoever embeds it publishes new tables by swapping them and calling
//! [`ProxyHandle::sync_listeners`].

mod access_log;
mod admin;
pub mod bootstrap;
mod capture;
mod config;
mod connection;
mod dns;
mod drain;
mod failure;
mod health;
mod http;
mod http1;
mod lines;
mod listeners;
mod metrics;
mod pool;
mod proxy;
mod proxy_protocol;
mod tcp;
mod tls;
mod transparent;
mod transport;
mod unix;
mod worker;

pub use access_log::{AccessLogSettings, FormatError, Lines, LogFormat, LogTarget};
pub use config::{
    BindAddress, ConfigDump, Explain, InboundPort, ProxyConfig, SetLogFilter, on_loopback,
};
pub use listeners::{BindError, BoundListener};
pub use metrics::{Registry, Source};
pub use proxy::{Proxy, ProxyHandle, StartError};
pub use tls::TlsProblem;
