//! Rewriting paths and hosts of requests on their way upstream.

use http::{HeaderName, HeaderValue};
use pilotage_proto::envoy::config::route::v3::RouteAction as Proto;
use pilotage_proto::envoy::config::route::v3::route_action::HostRewriteSpecifier;
use pilotage_proto::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use regex::bytes::{Captures, Regex};

use crate::path::without_query;
use crate::regular_expression::search;
use crate::rejection::FieldError;

/// How the path changes.
#[derive(Clone, Debug)]
pub(crate) enum PathRewrite {
    /// What the match took (a prefix, or the whole path) becomes this.
    Matched(Box<str>),
    /// Every match of a regular expression in the path becomes this.
    Regex(Box<RegexRewrite>),
}

impl PathRewrite {
    /// The rewrite of a route action or a redirect, which both have these two fields.
    pub(crate) fn compile(
        prefix: &str,
        regex: Option<&RegexMatchAndSubstitute>,
    ) -> Result<Option<Self>, FieldError> {
        match (prefix, regex) {
            ("", None) => Ok(None),
            ("", Some(regex)) => {
                let regex = RegexRewrite::compile(regex).map_err(|e| e.within("regex_rewrite"))?;
                Ok(Some(Self::Regex(Box::new(regex))))
            }
            (prefix, None) => Ok(Some(Self::Matched(prefix.into()))),
            (_, Some(_)) => Err(FieldError::new("regex_rewrite", "excludes prefix_rewrite")),
        }
    }

    /// The new path; the query stays. `matched` is how many bytes the match took.
    pub(crate) fn apply(&self, path: &str, matched: usize) -> String {
        match self {
            Self::Matched(replacement) => {
                let rest = path.get(matched..).unwrap_or_default();
                format!("{replacement}{rest}")
            }
            Self::Regex(regex) => {
                let only_path = without_query(path);
                let rest = path.get(only_path.len()..).unwrap_or_default();
                format!("{}{rest}", regex.apply(only_path))
            }
        }
    }
}

/// A regular expression and what replaces its matches.
#[derive(Clone, Debug)]
pub(crate) struct RegexRewrite {
    pattern: Regex,
    substitution: Vec<Piece>,
}

/// A piece of a substitution.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl RegexRewrite {
    pub(crate) fn compile(proto: &RegexMatchAndSubstitute) -> Result<Self, FieldError> {
        let pattern = proto
            .pattern
            .as_ref()
            .ok_or_else(|| FieldError::new("pattern", "is required"))
            .and_then(|pattern| search(pattern).map_err(|e| e.within("pattern")))?;
        let substitution = pieces(&proto.substitution, pattern.captures_len())
            .map_err(|message| FieldError::new("substitution", message))?;
        Ok(Self { pattern, substitution })
    }

    /// `text` with every match replaced.
    pub(crate) fn apply(&self, text: &str) -> String {
        let replace = |captures: &Captures<'_>| {
            let mut out = Vec::new();
            for piece in &self.substitution {
                match piece {
                    Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                    Piece::Group(group) => {
                        out.extend_from_slice(
                            captures.get(*group).map_or(&[][..], |g| g.as_bytes()),
                        );
                    }
                }
            }
            out
        };
        let replaced = self.pattern.replace_all(text.as_bytes(), replace);
        String::from_utf8_lossy(&replaced).into_owned()
    }
}

/// Reads RE2's substitution syntax: `\0` to `\9` are groups, `\\` is a backslash.
fn pieces(text: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            literal.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => literal.push('\\'),
            Some(digit @ '0'..='9') => {
                let group = digit.to_digit(10).and_then(|d| usize::try_from(d).ok()).unwrap_or(0);
                if group >= groups {
                    return Err(format!(
                        "refers to group {group}, which the pattern does not have"
                    ));
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Group(group));
            }
            _ => return Err("a backslash must be followed by a digit or a backslash".into()),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// How the host changes.
#[derive(Clone, Debug)]
pub(crate) enum HostRewrite {
    /// To this.
    Literal(Box<str>),
    /// To the name of the endpoint.
    Endpoint,
    /// To the value of a header, if it is there.
    Header(HeaderName),
    /// To what a regular expression makes of the path.
    PathRegex(Box<RegexRewrite>),
}

impl HostRewrite {
    pub(crate) fn compile(proto: &Proto) -> Result<Option<Self>, FieldError> {
        Ok(match &proto.host_rewrite_specifier {
            None | Some(HostRewriteSpecifier::AutoHostRewrite(false)) => None,
            Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => {
                Some(Self::Literal(checked_host(host)?.into()))
            }
            Some(HostRewriteSpecifier::AutoHostRewrite(true)) => Some(Self::Endpoint),
            Some(HostRewriteSpecifier::HostRewriteHeader(name)) => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    FieldError::new("host_rewrite_header", format!("`{name}` is not a header name"))
                })?;
                Some(Self::Header(name))
            }
            Some(HostRewriteSpecifier::HostRewritePathRegex(regex)) => {
                let regex = RegexRewrite::compile(regex)
                    .map_err(|e| e.within("host_rewrite_path_regex"))?;
                Some(Self::PathRegex(Box::new(regex)))
            }
        })
    }
}

/// `host` if it can be sent as an authority.
pub(crate) fn checked_host(host: &str) -> Result<&str, FieldError> {
    match HeaderValue::from_str(host) {
        Ok(_) => Ok(host),
        Err(_) => Err(FieldError::new("host_rewrite_literal", "cannot be a header value")),
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};

    use super::PathRewrite;

    fn regex(pattern: &str, substitution: &str) -> Result<Option<PathRewrite>, super::FieldError> {
        let pattern = Some(RegexMatcher { regex: pattern.into(), ..Default::default() });
        let proto = RegexMatchAndSubstitute { pattern, substitution: substitution.into() };
        PathRewrite::compile("", Some(&proto))
    }

    #[test]
    fn prefixes_are_replaced_byte_for_byte() {
        let to_root = PathRewrite::compile("/", None).unwrap().unwrap();
        assert_eq!(to_root.apply("/foo/bar?x=1", 4), "//bar?x=1");
        assert_eq!(to_root.apply("/foo", 4), "/");
    }

    #[test]
    fn patterns_are_replaced_everywhere_but_not_in_the_query() {
        let swap = regex("/service/([^/]+)/(v[0-9])", r"/\2/\1").unwrap().unwrap();
        assert_eq!(swap.apply("/service/a/v1/x?service/a/v1", 0), "/v1/a/x?service/a/v1");
        let all = regex("a", r"\\\0").unwrap().unwrap();
        assert_eq!(all.apply("/aa", 0), r"/\a\a");
        assert!(regex("a", r"\1").is_err());
        assert!(regex("a", r"\x").is_err());
        assert!(regex("(", "").is_err());
    }
}
