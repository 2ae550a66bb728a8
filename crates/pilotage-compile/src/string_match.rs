//! `StringMatch` as Envoy's string matcher.

use pilotage_config::virtual_service::StringMatch;
use pilotage_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use pilotage_proto::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};

/// The matcher for `wanted`; nothing when no comparison was chosen.
pub(crate) fn string_matcher(wanted: &StringMatch) -> Option<StringMatcher> {
    let pattern = match wanted {
        StringMatch::Unset => return None,
        StringMatch::Exact(text) => MatchPattern::Exact(text.clone()),
        StringMatch::Prefix(text) => MatchPattern::Prefix(text.clone()),
        StringMatch::Regex(text) => MatchPattern::SafeRegex(regex(text)),
    };
    Some(StringMatcher { match_pattern: Some(pattern), ignore_case: false })
}

/// An RE2 expression; Envoy compares the whole text with it.
pub(crate) fn regex(text: &str) -> RegexMatcher {
    RegexMatcher { regex: text.to_owned(), engine_type: None }
}

/// The matcher for a header or query parameter, where an empty condition and the literal regex `*` mean that it has to
/// be there, whatever its value.
pub(crate) fn matcher_or_presence(wanted: Option<&StringMatch>) -> Option<StringMatcher> {
    match wanted {
        Some(StringMatch::Regex(text)) if text == "*" => None,
        Some(wanted) => string_matcher(wanted),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_asked_for_by_nothing_and_by_a_star() {
        assert_eq!(matcher_or_presence(None), None);
        assert_eq!(matcher_or_presence(Some(&StringMatch::Unset)), None);
        assert_eq!(matcher_or_presence(Some(&StringMatch::Regex("*".into()))), None);
        let any = matcher_or_presence(Some(&StringMatch::Regex(".*".into())));
        assert_eq!(any.and_then(|m| m.match_pattern), Some(MatchPattern::SafeRegex(regex(".*"))));
    }

    #[test]
    fn an_empty_exact_text_is_a_condition() {
        let matcher = matcher_or_presence(Some(&StringMatch::Exact(String::new())));
        assert_eq!(matcher.and_then(|m| m.match_pattern), Some(MatchPattern::Exact(String::new())));
    }
}
