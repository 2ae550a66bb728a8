//! What of a request is hashed for consistent hashing.

mod hash;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use pilotage_proto::envoy::config::route::v3::route_action::HashPolicy as Proto;
use pilotage_proto::envoy::config::route::v3::route_action::hash_policy::PolicySpecifier;

pub(crate) use self::hash::{Hashed, hash};
use crate::durations::optional;
use crate::rejection::{FieldError, Warnings};

/// One source of the hash.
#[derive(Clone, Debug)]
pub struct HashPolicy {
    /// What is hashed.
    pub source: HashSource,
    /// When this source gives a hash, later ones are not looked at.
    pub terminal: bool,
}

/// What is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashSource {
    /// A header; several values are sorted first.
    Header(HeaderName),
    /// A cookie, which is made when it is missing and `ttl` is set.
    Cookie {
        /// Name.
        name: Arc<str>,
        /// Life of a new cookie; zero: a session cookie.
        ttl: Option<Duration>,
        /// Path of a new cookie.
        path: Arc<str>,
        /// Further attributes of a new cookie.
        attributes: Vec<(Arc<str>, Arc<str>)>,
    },
    /// The client's address without port.
    SourceIp,
    /// A query parameter.
    QueryParameter(Arc<str>),
}

impl HashPolicy {
    pub(crate) fn compile(
        proto: &Proto,
        warnings: &mut Warnings,
    ) -> Result<Option<Self>, FieldError> {
        let source = match &proto.policy_specifier {
            Some(PolicySpecifier::Header(header)) => {
                if header.regex_rewrite.is_some() {
                    return Err(FieldError::new("header.regex_rewrite", "is not supported"));
                }
                HashSource::Header(
                    HeaderName::from_bytes(header.header_name.as_bytes()).map_err(|_| {
                        FieldError::new("header.header_name", "is not a header name")
                    })?,
                )
            }
            Some(PolicySpecifier::Cookie(cookie)) => HashSource::Cookie {
                name: cookie.name.as_str().into(),
                ttl: optional("cookie.ttl", cookie.ttl.as_ref())?,
                path: cookie.path.as_str().into(),
                attributes: cookie
                    .attributes
                    .iter()
                    .map(|a| (a.name.as_str().into(), a.value.as_str().into()))
                    .collect(),
            },
            Some(PolicySpecifier::ConnectionProperties(properties)) if properties.source_ip => {
                HashSource::SourceIp
            }
            Some(PolicySpecifier::ConnectionProperties(_)) => return Ok(None),
            Some(PolicySpecifier::QueryParameter(parameter)) => {
                HashSource::QueryParameter(parameter.name.as_str().into())
            }
            Some(PolicySpecifier::FilterState(_)) => {
                warnings.note("filter_state", "there is no filter state to hash");
                return Ok(None);
            }
            None => return Err(FieldError::new("policy_specifier", "is required")),
        };
        Ok(Some(Self { source, terminal: proto.terminal }))
    }
}
