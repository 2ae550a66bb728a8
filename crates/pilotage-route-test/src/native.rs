//! Our own format: a YAML file that says who asks for what, and what should become of it. `docs/route-tests.md`
//! describes it for people who write it.

mod check;
pub mod expect;
pub mod file;
mod outcome;
pub mod request;
mod run;
mod shares;
mod spans;
mod table;
#[cfg(test)]
mod tests;

pub use self::file::TestFile;
pub(crate) use self::run::hold;
pub use self::run::{Stage, run};
pub use self::shares::Shares;
