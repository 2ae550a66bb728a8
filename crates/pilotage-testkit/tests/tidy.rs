//! What a maintainer should not have to look for: sizes, loose ends, dead links, second copies of dependencies.

#![expect(clippy::indexing_slicing, reason = "a test may stop where it goes wrong")]

#[path = "tidy/codes.rs"]
mod codes;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/sources.rs"]
mod sources;
