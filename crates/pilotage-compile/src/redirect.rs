//! `http[].redirect`.

use pilotage_config::virtual_service::{HttpRedirect, RedirectPortSelection};
use pilotage_proto::envoy::config::route::v3::RedirectAction;
use pilotage_proto::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};

/// The redirect of a listener on `listener_port`, which terminates TLS or not.
///
/// Nothing for status codes that Envoy cannot redirect with (such as 304): the route then has no action at all, and
/// requests that it takes fail, as they do on Istio.
pub(crate) fn redirect(
    wanted: &HttpRedirect,
    listener_port: u32,
    tls: bool,
) -> Option<RedirectAction> {
    let code = match wanted.redirect_code {
        0 | 301 => RedirectResponseCode::MovedPermanently,
        302 => RedirectResponseCode::Found,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        _ => return None,
    };
    // Without a new path the empty one is sent, which Envoy takes for the path of the request.
    let path = if wanted.prefix_rewrite.is_empty() {
        PathRewriteSpecifier::PathRedirect(wanted.uri.clone())
    } else {
        PathRewriteSpecifier::PrefixRewrite(wanted.prefix_rewrite.clone())
    };
    let scheme = (!wanted.scheme.is_empty())
        .then(|| SchemeRewriteSpecifier::SchemeRedirect(wanted.scheme.clone()));
    Some(RedirectAction {
        host_redirect: wanted.authority.clone(),
        port_redirect: port(wanted, listener_port, tls),
        response_code: code as i32,
        path_rewrite_specifier: Some(path),
        scheme_rewrite_specifier: scheme,
        ..RedirectAction::default()
    })
}

/// The port to name; 0 names none, which is right for the usual port of the scheme.
fn port(wanted: &HttpRedirect, listener_port: u32, tls: bool) -> u32 {
    let port = match (wanted.port, wanted.derive_port) {
        (Some(port), _) => port,
        (None, Some(RedirectPortSelection::FromRequestPort)) => listener_port,
        (None, Some(RedirectPortSelection::FromProtocolDefault) | None) => return 0,
    };
    let scheme = match (wanted.scheme.as_str(), tls) {
        ("", true) => "https",
        ("", false) => "http",
        (scheme, _) => scheme,
    };
    match (scheme, port) {
        ("http", 80) | ("https", 443) => 0,
        _ => port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(scheme: &str, port: u32) -> HttpRedirect {
        HttpRedirect { scheme: scheme.into(), port: Some(port), ..HttpRedirect::default() }
    }

    #[test]
    fn the_usual_port_of_the_scheme_is_not_named() {
        assert_eq!(port(&to("", 80), 8080, false), 0);
        assert_eq!(port(&to("", 443), 8080, true), 0);
        assert_eq!(port(&to("https", 443), 80, false), 0);
        assert_eq!(port(&to("https", 80), 80, false), 80);
        assert_eq!(port(&to("", 443), 80, false), 443);
    }

    #[test]
    fn the_request_port_is_that_of_the_listener() {
        let derived = HttpRedirect {
            derive_port: Some(RedirectPortSelection::FromRequestPort),
            ..HttpRedirect::default()
        };
        assert_eq!(port(&derived, 8080, false), 8080);
        assert_eq!(port(&derived, 80, false), 0);
    }

    #[test]
    fn odd_codes_give_no_action() {
        assert_eq!(redirect(&HttpRedirect { redirect_code: 304, ..to("", 1) }, 80, false), None);
        let moved = redirect(&HttpRedirect::default(), 80, false).unwrap();
        assert_eq!(
            moved.path_rewrite_specifier,
            Some(PathRewriteSpecifier::PathRedirect(String::new()))
        );
    }
}
