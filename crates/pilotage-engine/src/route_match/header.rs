//! Conditions on request headers.

use http::HeaderName;
use pilotage_proto::envoy::config::route::v3::HeaderMatcher as Proto;
use pilotage_proto::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier as Specifier;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use crate::header_format::HeaderSource;
use crate::headers::Headers;
use crate::rejection::FieldError;
use crate::request::RequestHead;
use crate::string_match::StringMatch;

/// A compiled header matcher.
#[derive(Debug)]
pub struct HeaderMatch {
    name: Box<str>,
    source: HeaderSource,
    test: HeaderTest,
    invert: bool,
    missing_is_empty: bool,
}

/// What a header matcher asks of a value.
#[derive(Debug)]
pub enum HeaderTest {
    /// That there is one, or that there is none.
    Present(bool),
    /// That it fits.
    Text(StringMatch),
    /// That it is a number within these limits.
    Range {
        /// The least.
        start: i64,
        /// The first that is too much.
        end: i64,
    },
}

impl HeaderMatch {
    /// Compiles `proto`.
    ///
    /// # Errors
    /// When the name is no header name, or a pattern is broken.
    pub fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let source = HeaderSource::new(&proto.name).ok_or_else(|| {
            FieldError::new("name", format!("`{}` is not a header name", proto.name))
        })?;
        let text = |field, pattern| {
            StringMatch::of(pattern).map(HeaderTest::Text).map_err(|e: FieldError| e.within(field))
        };
        let test = match &proto.header_match_specifier {
            None => HeaderTest::Present(true),
            Some(Specifier::PresentMatch(present)) => HeaderTest::Present(*present),
            Some(Specifier::RangeMatch(range)) => {
                HeaderTest::Range { start: range.start, end: range.end }
            }
            Some(Specifier::StringMatch(matcher)) => HeaderTest::Text(
                StringMatch::compile(matcher).map_err(|e| e.within("string_match"))?,
            ),
            Some(Specifier::ExactMatch(s)) => HeaderTest::Text(StringMatch::exact(s)),
            Some(Specifier::PrefixMatch(s)) => {
                text("prefix_match", MatchPattern::Prefix(s.clone()))?
            }
            Some(Specifier::SuffixMatch(s)) => {
                text("suffix_match", MatchPattern::Suffix(s.clone()))?
            }
            Some(Specifier::ContainsMatch(s)) => {
                text("contains_match", MatchPattern::Contains(s.clone()))?
            }
            Some(Specifier::SafeRegexMatch(regex)) => {
                text("safe_regex_match", MatchPattern::SafeRegex(regex.clone()))?
            }
        };
        Ok(Self {
            name: proto.name.as_str().into(),
            source,
            test,
            invert: proto.invert_match,
            missing_is_empty: proto.treat_missing_header_as_empty,
        })
    }

    /// Name of the header.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is looked at: a header, or a part of the request line.
    pub fn source(&self) -> &HeaderSource {
        &self.source
    }

    /// What is asked of a value.
    pub fn test(&self) -> &HeaderTest {
        &self.test
    }

    /// Whether the condition holds where the test fails.
    pub fn is_inverted(&self) -> bool {
        self.invert
    }

    /// Whether a header that is not there is tested as an empty value.
    pub fn missing_is_empty(&self) -> bool {
        self.missing_is_empty
    }

    /// What it wants, in words: `exact jason`, `present`, `not prefix x`.
    pub fn wanted(&self) -> String {
        let wanted = match &self.test {
            HeaderTest::Present(wanted) if *wanted != self.invert => return "present".to_owned(),
            HeaderTest::Present(_) => return "absent".to_owned(),
            HeaderTest::Text(text) => text.to_string(),
            HeaderTest::Range { start, end } => format!("from {start} to below {end}"),
        };
        if self.invert { format!("not {wanted}") } else { wanted }
    }

    /// What the request has there, several values with commas between; nothing when it has nothing.
    pub fn value_in(&self, head: &RequestHead<'_>) -> Option<String> {
        let values: Vec<_> = match &self.source {
            HeaderSource::Header(name) => {
                let values = head.headers.get_all(name);
                values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
            }
            HeaderSource::Method => vec![head.method.to_string()],
            HeaderSource::Path => vec![head.path.to_owned()],
            HeaderSource::Authority => vec![head.authority.to_owned()],
            HeaderSource::Scheme => vec![head.scheme.to_owned()],
        };
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Whether the condition holds for a request. Of several values of one header, one that fits is enough.
    pub fn matches(&self, head: &RequestHead<'_>) -> bool {
        match &self.source {
            HeaderSource::Header(name) => self.holds_any(head.headers, name),
            HeaderSource::Method => self.holds_text(head.method.as_str()),
            HeaderSource::Path => self.holds_text(head.path),
            HeaderSource::Authority => self.holds_text(head.authority),
            HeaderSource::Scheme => self.holds_text(head.scheme),
        }
    }

    /// Whether the condition holds for headers without a request line: those of a response.
    pub fn matches_headers(&self, headers: &Headers) -> bool {
        match &self.source {
            HeaderSource::Header(name) => self.holds_any(headers, name),
            _ => self.holds_missing(),
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        self.passes(text.as_bytes()) != self.invert
    }

    fn holds_any(&self, headers: &Headers, name: &HeaderName) -> bool {
        let mut values = headers.get_all(name).peekable();
        if values.peek().is_none() {
            return self.holds_missing();
        }
        values.any(|value| self.passes(value.as_bytes())) != self.invert
    }

    fn holds_missing(&self) -> bool {
        if self.missing_is_empty {
            return self.passes(b"") != self.invert;
        }
        // A missing header fails every condition, the inverted ones too, unless presence itself is asked for.
        matches!(self.test, HeaderTest::Present(wanted) if wanted == self.invert)
    }

    fn passes(&self, value: &[u8]) -> bool {
        match &self.test {
            HeaderTest::Present(wanted) => *wanted,
            HeaderTest::Text(text) => text.matches(value),
            HeaderTest::Range { start, end } => std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .is_some_and(|number| (*start..*end).contains(&number)),
        }
    }
}
