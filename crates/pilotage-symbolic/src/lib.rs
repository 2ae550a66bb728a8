//! Sets of requests, decided exactly: which requests change between two configurations, and which rules can never
//! match.
//!
//! The matchers of the engine's tables are read as they are ([`Condition`]); what each asks of one part of a request
//! (path, a header, a query parameter, …) is a regular language, kept as a minimal automaton. A rule takes a product
//! of such languages less what earlier rules take; whether anything is left is a search over the parts
//! (`search.rs`). Answers come with a request that the engine itself has decided ([`Request`]), and where the work
//! would exceed its bounds with the number of requests that were tried instead.
//!
//! Connections are told apart by finitely many things, so that trying one of each kind is a proof (`connections.rs`).
//!
//! Requests send each header and query parameter once here, and all of them are UTF-8. CONNECT is left out: it has no
//! path.

mod algebra;
mod budget;
mod compare;
mod condition;
mod connections;
mod dfa;
mod difference;
mod formula;
mod guess;
mod host_name;
mod hosts;
mod outcome;
mod place;
mod ration;
mod reach;
mod region;
mod rules;
mod sample;
mod search;
mod tally;
mod text;
mod universe;
mod witness;

pub use condition::{Condition, Dimension};
pub use connections::{Connection, ConnectionChange, judge_connection};
pub use difference::{
    Difference, Mistake, RequestChange, Undecided, difference, difference_up_to, judge,
};
pub use formula::Formula;
pub use host_name::Host;
pub use outcome::{Change, Facet, Origin};
pub use reach::{Reachability, UnreachableRule, reachability};
pub use tally::{KindOfChange, MoreKinds};
pub use text::{Comparison, Text};
pub use witness::Request;
