//! The parts of `pilotage demo`: sample services, steady traffic, and what is shown of it.

pub(crate) mod bookinfo;
pub(crate) mod display;
pub(crate) mod echo;
pub(crate) mod folder;
mod histogram;
pub(crate) mod meter;
pub(crate) mod screen;
pub(crate) mod shares;
pub(crate) mod traffic;
