//! The control loop of Pilotage: sources of configuration, generations, and their publication.
//!
//! ```text
//! Source ── Batch ──► Store ── Inputs ──► model, compile ── Generation ──► Publisher
//! ```
//!
//! One loop, one [`event::Event`], one `match`. What arrived together becomes one generation; a broken object keeps
//! its last good version; nothing is ever published in parts.

pub mod builtin;
mod control_loop;
pub mod event;
pub mod files;
pub mod identities;
mod mesh_config;
pub mod pipeline;
pub mod publish;
pub mod report;
pub mod source;
pub mod store;
pub mod summary;

pub use control_loop::{ControlLoop, Listener, StopLoop};
