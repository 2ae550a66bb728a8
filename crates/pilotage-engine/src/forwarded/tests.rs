//! Tests of request preparation.
