//! The control loop of Pilotage: sources of configuration, generations, and their publication.
pub mod files;
