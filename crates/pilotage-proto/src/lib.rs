//! The Envoy v3 messages Pilotage speaks, with protobuf-JSON.
