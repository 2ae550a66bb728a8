//! `http[].match[]` as Envoy's route match.

use pilotage_config::virtual_service::{HttpMatchRequest, StringMatch};
use pilotage_proto::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use pilotage_proto::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use pilotage_proto::envoy::config::route::v3::route_match::PathSpecifier;
use pilotage_proto::envoy::config::route::v3::{HeaderMatcher, QueryParameterMatcher, RouteMatch};
use pilotage_proto::envoy::r#type::matcher::v3::MetadataMatcher;

use crate::jwt_claims;
use crate::string_match::{matcher_or_presence, regex};

/// The match of a route for every request.
pub(crate) fn every_request() -> RouteMatch {
    RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
        ..RouteMatch::default()
    }
}

/// The part of `block` that has to be decided for each request. Ports, gateways and source conditions are not in it:
/// they hold or not for a whole proxy and listener, and are looked at before.
pub(crate) fn route_match(block: &HttpMatchRequest) -> RouteMatch {
    let (headers, dynamic_metadata) = header_conditions(block);
    RouteMatch {
        path_specifier: Some(path(block.uri.as_ref())),
        case_sensitive: Some(!block.ignore_uri_case),
        headers,
        query_parameters: query_parameters(block),
        dynamic_metadata,
        ..RouteMatch::default()
    }
}

/// Whether a route with this match takes every request that reaches it, so that no later one is ever used.
///
/// Only the forms that Istio knows as such count: `prefix: ""` and `regex: "/.*"` take every request too, and later
/// routes are emitted all the same.
pub(crate) fn is_catch_all(condition: &RouteMatch) -> bool {
    let any_path = match &condition.path_specifier {
        Some(PathSpecifier::Prefix(prefix) | PathSpecifier::PathSeparatedPrefix(prefix)) => {
            prefix == "/"
        }
        Some(PathSpecifier::SafeRegex(expression)) => expression.regex == ".*",
        Some(PathSpecifier::Path(_) | PathSpecifier::ConnectMatcher(_)) | None => false,
    };
    any_path
        && condition.headers.is_empty()
        && condition.query_parameters.is_empty()
        && condition.dynamic_metadata.is_empty()
}

/// The path of a match as it stands in the name of the operation that traces show.
pub(crate) fn path_for_traces(condition: &RouteMatch) -> String {
    match &condition.path_specifier {
        Some(PathSpecifier::Prefix(prefix)) => format!("{prefix}*"),
        Some(PathSpecifier::Path(path)) => path.clone(),
        Some(PathSpecifier::SafeRegex(expression)) => expression.regex.clone(),
        Some(PathSpecifier::PathSeparatedPrefix(_) | PathSpecifier::ConnectMatcher(_)) | None => {
            "/*".to_owned()
        }
    }
}

fn path(uri: Option<&StringMatch>) -> PathSpecifier {
    match uri {
        None | Some(StringMatch::Unset) => PathSpecifier::Prefix("/".to_owned()),
        Some(StringMatch::Exact(path)) => PathSpecifier::Path(path.clone()),
        Some(StringMatch::Prefix(prefix)) => PathSpecifier::Prefix(prefix.clone()),
        Some(StringMatch::Regex(expression)) => PathSpecifier::SafeRegex(regex(expression)),
    }
}

/// Conditions on headers, by name, those of pseudo-headers last; and conditions on claims, which are written as
/// headers.
fn header_conditions(block: &HttpMatchRequest) -> (Vec<HeaderMatcher>, Vec<MetadataMatcher>) {
    let mut headers = Vec::new();
    let mut claims = Vec::new();
    let wanted = block.headers.iter().map(|(name, condition)| (name, condition, false));
    let unwanted = block.without_headers.iter().map(|(name, condition)| (name, condition, true));
    for (name, condition, invert) in wanted.chain(unwanted) {
        match jwt_claims::condition(name, condition.as_ref(), invert) {
            Some(claim) => claims.push(claim),
            None => headers.push(header(name, condition.as_ref(), invert)),
        }
    }
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    let pseudo_headers =
        [(":method", &block.method), (":authority", &block.authority), (":scheme", &block.scheme)];
    for (name, condition) in pseudo_headers {
        if condition.is_some() {
            headers.push(header(name, condition.as_ref(), false));
        }
    }
    (headers, claims)
}

fn header(name: &str, wanted: Option<&StringMatch>, invert: bool) -> HeaderMatcher {
    let matcher = matcher_or_presence(wanted);
    HeaderMatcher {
        name: name.to_owned(),
        invert_match: invert,
        // A header that is not there cannot have the unwanted value.
        treat_missing_header_as_empty: invert && matcher.is_some(),
        header_match_specifier: Some(match matcher {
            Some(matcher) => HeaderMatchSpecifier::StringMatch(matcher),
            None => HeaderMatchSpecifier::PresentMatch(true),
        }),
    }
}

fn query_parameters(block: &HttpMatchRequest) -> Vec<QueryParameterMatcher> {
    let parameters = block.query_params.iter();
    parameters
        .map(|(name, wanted)| QueryParameterMatcher {
            name: name.clone(),
            query_parameter_match_specifier: Some(match matcher_or_presence(wanted.as_ref()) {
                Some(matcher) => QueryParameterMatchSpecifier::StringMatch(matcher),
                None => QueryParameterMatchSpecifier::PresentMatch(true),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(condition: StringMatch) -> HttpMatchRequest {
        HttpMatchRequest { uri: Some(condition), ..HttpMatchRequest::default() }
    }

    #[test]
    fn only_the_usual_forms_count_as_catch_all() {
        let catch_all = |block: &HttpMatchRequest| is_catch_all(&route_match(block));
        assert!(is_catch_all(&every_request()));
        assert!(catch_all(&HttpMatchRequest::default()));
        assert!(catch_all(&uri(StringMatch::Unset)));
        assert!(catch_all(&uri(StringMatch::Prefix("/".into()))));
        assert!(catch_all(&uri(StringMatch::Regex(".*".into()))));
        assert!(!catch_all(&uri(StringMatch::Prefix(String::new()))));
        assert!(!catch_all(&uri(StringMatch::Regex("/.*".into()))));
        assert!(!catch_all(&uri(StringMatch::Exact("/".into()))));
        let method = HttpMatchRequest {
            method: Some(StringMatch::Exact("GET".into())),
            ..HttpMatchRequest::default()
        };
        assert!(!catch_all(&method));
    }

    #[test]
    fn unwanted_headers_stand_beside_wanted_ones_by_name() {
        let block = HttpMatchRequest {
            headers: [("b".to_owned(), Some(StringMatch::Exact("1".into())))].into(),
            without_headers: [
                ("a".to_owned(), Some(StringMatch::Exact("1".into()))),
                ("c".to_owned(), None),
            ]
            .into(),
            method: Some(StringMatch::Exact("GET".into())),
            ..HttpMatchRequest::default()
        };
        let headers = route_match(&block).headers;
        let names: Vec<_> = headers.iter().map(|h| h.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", ":method"]);
        let inverted: Vec<_> = headers.iter().map(|h| h.invert_match).collect();
        assert_eq!(inverted, [true, false, true, false]);
        let as_empty: Vec<_> = headers.iter().map(|h| h.treat_missing_header_as_empty).collect();
        assert_eq!(as_empty, [true, false, false, false]);
    }
}
