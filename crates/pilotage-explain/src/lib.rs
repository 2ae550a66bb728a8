//! What would become of a request, and why: the production code from YAML to decision with a recorder beside it.
//!
//! Nothing here decides anything. [`simulation`] makes the tables that a proxy would have, [`passage`] carries one
//! request through them as the proxy does, from listener to route and cluster.

pub mod passage;
pub mod request;
pub mod simulation;

pub use passage::{End, Passage, carry};
pub use request::{Arrival, ClientTls, Protocol, Request};
pub use simulation::Simulation;
