//! Generated code: message structs under their protobuf package path, as every prost user knows them.

#![expect(
    missing_docs,
    clippy::all,
    reason = "generated; Envoy's API reference documents every field"
)]
#![allow(unreachable_pub, clippy::pedantic, rustdoc::all, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/messages.rs"));
