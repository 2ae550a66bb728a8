//! Match keys that mean a claim of the request's JSON Web Token: `@request.auth.claims.group`.
//!
//! The authentication filter leaves the payload in the dynamic metadata of the request; a condition on a claim is a
//! condition on that.

use pilotage_config::virtual_service::{CLAIMS, StringMatch};
use pilotage_proto::envoy::r#type::matcher::v3::metadata_matcher::PathSegment;
use pilotage_proto::envoy::r#type::matcher::v3::metadata_matcher::path_segment::Segment;
use pilotage_proto::envoy::r#type::matcher::v3::value_matcher::MatchPattern;
use pilotage_proto::envoy::r#type::matcher::v3::{
    ListMatcher, MetadataMatcher, OrMatcher, StringMatcher, ValueMatcher, list_matcher,
    string_matcher,
};

use crate::string_match::{regex, string_matcher};

/// How the match key is written for a condition on the metadata at `path` of `filter`: with dots, and with brackets.
/// Nothing, when that is no claim.
#[must_use]
pub fn spellings<'p>(filter: &str, path: impl IntoIterator<Item = &'p str>) -> Option<[String; 2]> {
    let mut path = path.into_iter();
    if filter != FILTER || path.next() != Some(PAYLOAD) {
        return None;
    }
    let (mut dotted, mut bracketed) = (CLAIMS.to_owned(), CLAIMS.to_owned());
    for claim in path {
        dotted.push_str(&format!(".{claim}"));
        bracketed.push_str(&format!("[{claim}]"));
    }
    Some([dotted, bracketed])
}

const FILTER: &str = "envoy.filters.http.jwt_authn";
/// The field under which the filter puts the claims.
const PAYLOAD: &str = "payload";

/// The condition that the match key `name` with `wanted` puts on a claim; nothing when the key is a header's name.
pub(crate) fn condition(
    name: &str,
    wanted: Option<&StringMatch>,
    invert: bool,
) -> Option<MetadataMatcher> {
    let claims = claims(name)?;
    let keys = std::iter::once(PAYLOAD).chain(claims.iter().map(String::as_str));
    let path =
        keys.map(|key| PathSegment { segment: Some(Segment::Key(key.to_owned())) }).collect();
    let text = wanted.and_then(string_matcher).unwrap_or_else(any_text);
    Some(MetadataMatcher {
        filter: FILTER.to_owned(),
        path,
        value: Some(text_or_list(text)),
        invert,
    })
}

/// The names of nested claims in a key: `….a.b` with dots, `…[a][b.c]` with brackets.
fn claims(name: &str) -> Option<Vec<String>> {
    let head = name.get(..CLAIMS.len())?;
    if !head.eq_ignore_ascii_case(CLAIMS) {
        return None;
    }
    let rest = name.get(CLAIMS.len()..)?;
    if let Some(dotted) = rest.strip_prefix('.') {
        let parts: Vec<_> = dotted.split('.').map(str::to_owned).collect();
        return parts.iter().all(|part| !part.is_empty()).then_some(parts);
    }
    let inner = rest.strip_prefix('[')?.strip_suffix(']')?;
    let parts: Vec<_> = inner.split("][").map(str::to_owned).collect();
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

fn any_text() -> StringMatcher {
    let pattern = string_matcher::MatchPattern::SafeRegex(regex(".+"));
    StringMatcher { match_pattern: Some(pattern), ignore_case: false }
}

/// A claim may be a text or a list of texts, one of which has to match.
fn text_or_list(text: StringMatcher) -> ValueMatcher {
    let value = |pattern| ValueMatcher { match_pattern: Some(pattern) };
    let single = value(MatchPattern::StringMatch(text));
    let one_of = list_matcher::MatchPattern::OneOf(Box::new(single.clone()));
    let list =
        value(MatchPattern::ListMatch(Box::new(ListMatcher { match_pattern: Some(one_of) })));
    value(MatchPattern::OrMatch(OrMatcher { value_matchers: vec![single, list] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_nested_claims_with_dots_or_brackets() {
        assert_eq!(claims("@request.auth.claims.a.b"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(
            claims("@request.auth.claims[a.b/c][d]"),
            Some(vec!["a.b/c".into(), "d".into()])
        );
        assert_eq!(claims("@request.auth.claims"), None);
        assert_eq!(claims("@request.auth.claims."), None);
        assert_eq!(claims("x-claims"), None);
    }

    #[test]
    fn the_payload_is_the_first_step() {
        let wanted = StringMatch::Exact("admin".into());
        let matcher = condition("@request.auth.claims.role", Some(&wanted), true).unwrap();
        assert_eq!(matcher.path.len(), 2);
        assert!(matcher.invert);
        let [dotted, bracketed] = spellings(FILTER, ["payload", "a", "b"]).unwrap();
        assert_eq!(claims(&dotted), claims(&bracketed));
        assert_eq!(spellings("other", ["payload", "a"]), None);
    }
}
