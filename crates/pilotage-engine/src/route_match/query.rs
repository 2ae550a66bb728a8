//! Conditions on query parameters.

use pilotage_proto::envoy::config::route::v3::QueryParameterMatcher as Proto;
use pilotage_proto::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;

use crate::path::query_parameter;
use crate::rejection::FieldError;
use crate::string_match::StringMatch;

/// A compiled query parameter matcher.
#[derive(Debug)]
pub struct QueryMatch {
    name: Box<str>,
    /// What the value must be; `None`: anything, as long as the parameter is there.
    value: Option<StringMatch>,
    /// Whether the parameter has to be there at all.
    present: bool,
}

impl QueryMatch {
    pub(super) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        if proto.name.is_empty() {
            return Err(FieldError::new("name", "must not be empty"));
        }
        let (value, present) = match &proto.query_parameter_match_specifier {
            Some(QueryParameterMatchSpecifier::StringMatch(matcher)) => {
                (Some(StringMatch::compile(matcher).map_err(|e| e.within("string_match"))?), true)
            }
            Some(QueryParameterMatchSpecifier::PresentMatch(present)) => (None, *present),
            None => (None, true),
        };
        Ok(Self { name: proto.name.as_str().into(), value, present })
    }

    /// Name of the parameter.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the first raw value has to be; `None`: anything.
    pub fn value(&self) -> Option<&StringMatch> {
        self.value.as_ref()
    }

    /// Whether the parameter has to be there, rather than not.
    pub fn wants_presence(&self) -> bool {
        self.present
    }

    /// What it wants, in words: `exact x`, `present`.
    pub fn wanted(&self) -> String {
        match &self.value {
            Some(value) => value.to_string(),
            None if self.present => "present".to_owned(),
            None => "absent".to_owned(),
        }
    }

    /// The first raw value of the parameter in `path`.
    pub fn value_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        query_parameter(path, &self.name)
    }

    /// Whether the first raw value of the parameter fits.
    pub(super) fn matches(&self, path: &str) -> bool {
        match (query_parameter(path, &self.name), &self.value) {
            (Some(value), Some(matcher)) => matcher.matches(value.as_bytes()),
            (value, None) => value.is_some() == self.present,
            (None, Some(_)) => false,
        }
    }
}
