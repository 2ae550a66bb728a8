//! `test`: formats of test files, output and exit codes.

mod configured;
mod router_check;
