//! Tests of applying resources.
