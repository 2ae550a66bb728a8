//! `test`: formats of test files, output and exit codes.

mod config_validator;
mod configured;
mod router_check;
