//! Conditions on dynamic metadata: what filters such as JWT authentication found out.

use std::fmt;

use pilotage_proto::envoy::r#type::matcher::v3::metadata_matcher::path_segment::Segment;
use pilotage_proto::envoy::r#type::matcher::v3::value_matcher::MatchPattern;
use pilotage_proto::envoy::r#type::matcher::v3::{
    DoubleMatcher, MetadataMatcher as Proto, ValueMatcher, double_matcher, list_matcher,
};
use pilotage_proto::prost_types::Value;
use pilotage_proto::prost_types::value::Kind;

use crate::metadata::DynamicMetadata;
use crate::rejection::FieldError;
use crate::request::RequestHead;
use crate::string_match::StringMatch;

/// A compiled metadata matcher.
#[derive(Debug)]
pub struct MetadataMatch {
    filter: Box<str>,
    path: Vec<Box<str>>,
    /// Filter and path, for people.
    name: Box<str>,
    test: ValueTest,
    invert: bool,
}

/// What is asked of a value.
#[derive(Debug)]
enum ValueTest {
    Null,
    Number {
        start: f64,
        end: f64,
    },
    Exactly(f64),
    Text(StringMatch),
    Truth(bool),
    /// That there is one; `false` holds never.
    Present(bool),
    /// That it is a list, and one of its items fits.
    OneOf(Box<ValueTest>),
    Any(Vec<ValueTest>),
}

impl MetadataMatch {
    pub(super) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let required = |field| FieldError::new(field, "is required");
        if proto.filter.is_empty() {
            return Err(required("filter"));
        }
        let keys = proto.path.iter().enumerate().map(|(index, segment)| match &segment.segment {
            Some(Segment::Key(key)) if !key.is_empty() => Ok(key.as_str().into()),
            _ => Err(required("key").within(format!("path[{index}]"))),
        });
        let path: Vec<Box<str>> = keys.collect::<Result<_, _>>()?;
        if path.is_empty() {
            return Err(required("path"));
        }
        let value = proto.value.as_ref().ok_or_else(|| required("value"))?;
        Ok(Self {
            filter: proto.filter.as_str().into(),
            name: format!("{} {}", proto.filter, path.join(".")).into(),
            path,
            test: ValueTest::compile(value).map_err(|e| e.within("value"))?,
            invert: proto.invert,
        })
    }

    /// Name under which the filter puts what it found out.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The keys that lead to the value.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|key| &**key)
    }

    /// Filter and path in one: `envoy.filters.http.jwt_authn payload.group`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it wants, in words: `exact admin`, `not present`.
    pub fn wanted(&self) -> String {
        match (self.invert, &self.test) {
            (false, test) => test.to_string(),
            (true, test @ ValueTest::Any(_)) => format!("not ({test})"),
            (true, test) => format!("not {test}"),
        }
    }

    /// What the request has there.
    pub fn value_in(&self, head: &RequestHead<'_>) -> Option<String> {
        self.found(head.metadata).map(told)
    }

    /// Whether the condition holds for a request with this metadata. A value that is not there fits nothing, so that an
    /// inverted condition holds.
    pub fn matches(&self, metadata: Option<&DynamicMetadata>) -> bool {
        self.found(metadata).is_some_and(|value| self.test.fits(value)) != self.invert
    }

    fn found<'m>(&self, metadata: Option<&'m DynamicMetadata>) -> Option<&'m Value> {
        metadata?.value(&self.filter, self.path()).filter(|value| value.kind.is_some())
    }
}

/// How deep value matchers may contain others.
const DEPTH: usize = 16;

impl ValueTest {
    fn compile(proto: &ValueMatcher) -> Result<Self, FieldError> {
        Self::compile_within(proto, DEPTH)
    }

    fn compile_within(proto: &ValueMatcher, depth: usize) -> Result<Self, FieldError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(FieldError::new("match_pattern", "contains others too deeply"));
        };
        Ok(match &proto.match_pattern {
            None => return Err(FieldError::new("match_pattern", "is not set")),
            Some(MatchPattern::NullMatch(_)) => Self::Null,
            Some(MatchPattern::DoubleMatch(number)) => {
                Self::number(number).map_err(|e| e.within("double_match"))?
            }
            Some(MatchPattern::StringMatch(text)) => {
                Self::Text(StringMatch::compile(text).map_err(|e| e.within("string_match"))?)
            }
            Some(MatchPattern::BoolMatch(truth)) => Self::Truth(*truth),
            Some(MatchPattern::PresentMatch(present)) => Self::Present(*present),
            Some(MatchPattern::ListMatch(list)) => match &list.match_pattern {
                Some(list_matcher::MatchPattern::OneOf(item)) => Self::OneOf(Box::new(
                    Self::compile_within(item, depth).map_err(|e| e.within("list_match.one_of"))?,
                )),
                None => return Err(FieldError::new("list_match.match_pattern", "is not set")),
            },
            Some(MatchPattern::OrMatch(or)) => {
                if or.value_matchers.len() < 2 {
                    return Err(FieldError::new("or_match.value_matchers", "must be at least two"));
                }
                let tests = or.value_matchers.iter().enumerate().map(|(index, test)| {
                    Self::compile_within(test, depth)
                        .map_err(|e| e.within(format!("or_match.value_matchers[{index}]")))
                });
                Self::Any(tests.collect::<Result<_, _>>()?)
            }
        })
    }

    fn number(proto: &DoubleMatcher) -> Result<Self, FieldError> {
        match &proto.match_pattern {
            None => Err(FieldError::new("match_pattern", "is not set")),
            Some(double_matcher::MatchPattern::Exact(number)) => Ok(Self::Exactly(*number)),
            Some(double_matcher::MatchPattern::Range(range)) => {
                Ok(Self::Number { start: range.start, end: range.end })
            }
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match (self, &value.kind) {
            (_, None) => false,
            (Self::Any(tests), _) => tests.iter().any(|test| test.fits(value)),
            (Self::Present(wanted), Some(_)) => *wanted,
            (Self::Null, Some(Kind::NullValue(_))) => true,
            (Self::Number { start, end }, Some(Kind::NumberValue(number))) => {
                (*start..*end).contains(number)
            }
            #[expect(clippy::float_cmp, reason = "the API asks for the very number")]
            (Self::Exactly(wanted), Some(Kind::NumberValue(number))) => wanted == number,
            (Self::Text(wanted), Some(Kind::StringValue(text))) => wanted.matches(text.as_bytes()),
            (Self::Truth(wanted), Some(Kind::BoolValue(truth))) => wanted == truth,
            (Self::OneOf(test), Some(Kind::ListValue(list))) => {
                list.values.iter().any(|item| test.fits(item))
            }
            (
                Self::Null
                | Self::Number { .. }
                | Self::Exactly(_)
                | Self::Text(_)
                | Self::Truth(_)
                | Self::OneOf(_),
                Some(_),
            ) => false,
        }
    }
}

impl fmt::Display for ValueTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Number { start, end } => write!(f, "from {start} to below {end}"),
            Self::Exactly(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Present(true) => f.write_str("present"),
            Self::Present(false) => f.write_str("never"),
            Self::OneOf(item) => write!(f, "a list with {item}"),
            Self::Any(tests) => {
                for (index, test) in tests.iter().enumerate() {
                    write!(f, "{}{test}", if index > 0 { " or " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

/// A value in the words of JSON, texts without quotes.
fn told(value: &Value) -> String {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => "null".to_owned(),
        Some(Kind::NumberValue(number)) => number.to_string(),
        Some(Kind::StringValue(text)) => text.clone(),
        Some(Kind::BoolValue(truth)) => truth.to_string(),
        Some(Kind::StructValue(fields)) => {
            let fields = fields.fields.iter().map(|(key, value)| format!("{key}: {}", told(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Some(Kind::ListValue(list)) => {
            format!("[{}]", list.values.iter().map(told).collect::<Vec<_>>().join(", "))
        }
    }
}
