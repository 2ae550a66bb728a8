//! Conditions on dynamic metadata: what filters such as JWT authentication found out.

use pilotage_proto::envoy::r#type::matcher::v3::MetadataMatcher as Proto;

/// A metadata condition. No filter of this proxy provides metadata, so the value is always missing; it still counts
/// that an inverted condition holds then.
#[derive(Debug)]
pub(super) struct MetadataMatch {
    filter: Box<str>,
    invert: bool,
}

impl MetadataMatch {
    pub(super) fn compile(proto: &Proto) -> Self {
        Self { filter: proto.filter.as_str().into(), invert: proto.invert }
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn matches(&self) -> bool {
        self.invert
    }
}
