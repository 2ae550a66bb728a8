//! `test`: formats of test files, output and exit codes.

mod router_check;
