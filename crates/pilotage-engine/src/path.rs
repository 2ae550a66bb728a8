//! Paths: what is compared, and how they are normalized.
