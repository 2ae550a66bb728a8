//! `http[].rewrite`.

use pilotage_config::virtual_service::HttpRewrite;
use pilotage_proto::envoy::config::route::v3::RouteAction;
use pilotage_proto::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;

use crate::string_match::regex;

/// Sets the change of the path. The authority is decided elsewhere, because header operations also have a say in it.
pub(crate) fn set_path(action: &mut RouteAction, rewrite: &HttpRewrite) {
    match &rewrite.uri_regex_rewrite {
        Some(by_regex) => {
            action.regex_rewrite = Some(RegexMatchAndSubstitute {
                pattern: Some(regex(&by_regex.match_)),
                substitution: by_regex.rewrite.clone(),
            });
        }
        // What was matched decides what is replaced: a prefix, or the whole path of an exact or regex match.
        None => action.prefix_rewrite.clone_from(&rewrite.uri),
    }
}
