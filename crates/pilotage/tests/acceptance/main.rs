//! The tasks of Istio's documentation, done with Pilotage: the real binary on a folder of YAML, workloads on loopback,
//! and the clients that people use. Each test says in its first line which task it is (`T1` to `T40`); the objects are in
//! `fixtures/`.
//!
//! Times are shorter than in the documentation and in the same proportions. Nothing is expected to be fast, only to
//! take at least as long as it was told to, or to end when something happened.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bookinfo;
mod certificates;
mod curl;
mod gate;
mod grpc;
#[expect(dead_code, reason = "the tests of `up` use the rest of it")]
#[path = "../up/harness.rs"]
mod harness;
mod mesh;
mod shares;
mod websocket;
mod workload;

mod breakers;
mod delegates;
mod egress;
mod egress_gateway;
mod egress_tls;
mod faults;
mod hashing;
mod ingress;
mod large_bodies;
mod locality;
mod mirroring;
mod outliers;
mod retries;
mod routing;
mod secure_ingress;
mod tcp;
mod timeouts;
mod versions;
