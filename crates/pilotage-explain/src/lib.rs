//! What would become of a request, and why: the production code from YAML to decision with a recorder beside it.
//!
//! Nothing here decides anything. [`simulation`] makes the tables that a proxy would have, [`passage`] carries one
//! request through them as the proxy does, from listener to route and cluster, and [`explain()`] says what happened there
//! and which lines of YAML it comes from.

mod absent_rules;
mod alternatives;
pub mod ask;
mod cluster_policies;
mod destinations;
mod explain;
pub mod explanation;
mod header_operations;
mod hosts;
mod messages;
pub mod passage;
mod places;
mod policies;
mod recorder;
pub mod request;
mod rivals;
pub mod simulation;
pub mod url;
pub mod who;
pub mod words;

pub use ask::{Ask, AskError};
pub use explain::{Question, explain};
pub use explanation::Explanation;
pub use messages::{lacks_endpoints, name as name_of_destination};
pub use passage::{End, Passage, carry};
pub use request::{Arrival, ClientTls, Protocol, Request};
pub use simulation::Simulation;
pub use url::{Url, UrlError};
