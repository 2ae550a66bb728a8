//! Redirects.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};
use pilotage_proto::envoy::config::route::v3::RedirectAction as Proto;
use pilotage_proto::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};

use crate::domains::split_port;
use crate::headers::Headers;
use crate::rejection::FieldError;
use crate::request::RequestHead;
use crate::rewrite::PathRewrite;

/// Where a route sends its clients.
#[derive(Debug)]
pub struct Redirect {
    /// Status of the answer.
    pub status: StatusCode,
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    port: Option<u32>,
    path: RedirectPath,
    strip_query: bool,
}

/// What becomes of the path.
#[derive(Debug)]
enum RedirectPath {
    Keep,
    Replace(Box<str>),
    Rewrite(PathRewrite),
}

impl Redirect {
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let status = match proto.response_code() {
            RedirectResponseCode::MovedPermanently => StatusCode::MOVED_PERMANENTLY,
            RedirectResponseCode::Found => StatusCode::FOUND,
            RedirectResponseCode::SeeOther => StatusCode::SEE_OTHER,
            RedirectResponseCode::TemporaryRedirect => StatusCode::TEMPORARY_REDIRECT,
            RedirectResponseCode::PermanentRedirect => StatusCode::PERMANENT_REDIRECT,
        };
        let scheme = match &proto.scheme_rewrite_specifier {
            Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => Some("https".into()),
            Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) if !scheme.is_empty() => {
                Some(scheme.as_str().into())
            }
            Some(_) | None => None,
        };
        let path = match &proto.path_rewrite_specifier {
            Some(PathRewriteSpecifier::PathRedirect(path)) if !path.is_empty() => {
                RedirectPath::Replace(path.as_str().into())
            }
            Some(PathRewriteSpecifier::PathRedirect(_)) | None => RedirectPath::Keep,
            Some(PathRewriteSpecifier::PrefixRewrite(prefix)) => {
                PathRewrite::compile(prefix, None)?
                    .map_or(RedirectPath::Keep, RedirectPath::Rewrite)
            }
            Some(PathRewriteSpecifier::RegexRewrite(regex)) => {
                PathRewrite::compile("", Some(regex))?
                    .map_or(RedirectPath::Keep, RedirectPath::Rewrite)
            }
        };
        let text = |s: &str| (!s.is_empty()).then(|| s.into());
        Ok(Self {
            status,
            scheme,
            host: text(&proto.host_redirect),
            port: (proto.port_redirect != 0).then_some(proto.port_redirect),
            path,
            strip_query: proto.strip_query,
        })
    }

    /// A redirect to the URL that was asked for.
    pub(crate) fn to_itself(status: StatusCode) -> Self {
        Self {
            status,
            scheme: None,
            host: None,
            port: None,
            path: RedirectPath::Keep,
            strip_query: false,
        }
    }

    /// The `location` for a request whose match took `matched` bytes of the path.
    pub(crate) fn location(&self, head: &RequestHead<'_>, matched: usize) -> String {
        let scheme = self.scheme.as_deref().unwrap_or(head.scheme);
        let host = match &self.host {
            Some(host) => host,
            None => self.kept_host(head, scheme),
        };
        let mut location = format!("{scheme}://{host}");
        if let Some(port) = self.port {
            location.push_str(&format!(":{port}"));
        }
        self.push_path(&mut location, head.path, matched);
        location
    }

    /// The path of the request as operations on the answer's headers see it: rewritten as the redirect says.
    pub(crate) fn seen_path<'h>(&self, path: &'h str, matched: usize) -> Cow<'h, str> {
        match &self.path {
            RedirectPath::Rewrite(rewrite) => Cow::Owned(rewrite.apply(path, matched)),
            RedirectPath::Keep | RedirectPath::Replace(_) => Cow::Borrowed(path),
        }
    }

    /// The request's own host. Its port goes when the redirect has one of its own, and when the scheme changes and it
    /// was the default port of the scheme before.
    fn kept_host<'h>(&self, head: &RequestHead<'h>, scheme: &str) -> &'h str {
        let (host, port) = split_port(head.authority);
        let was = forwarded_proto(head);
        let default_of_old = matches!((was, port), ("http", Some("80")) | ("https", Some("443")));
        if self.port.is_some() || (scheme != was && default_of_old) { host } else { head.authority }
    }

    fn push_path(&self, location: &mut String, path: &str, matched: usize) {
        let query_start = path.find('?').unwrap_or(path.len());
        let (only_path, query) = path.split_at_checked(query_start).unwrap_or((path, ""));
        let query = if self.strip_query { "" } else { query };
        match &self.path {
            RedirectPath::Keep => location.push_str(only_path),
            RedirectPath::Replace(path) => {
                if !path.starts_with('/') {
                    location.push('/');
                }
                location.push_str(path);
                if path.contains('?') {
                    // A query of its own replaces that of the request.
                    return;
                }
            }
            RedirectPath::Rewrite(rewrite) => location.push_str(&rewrite.apply(only_path, matched)),
        }
        location.push_str(query);
    }
}

/// The scheme by which the client reached the first proxy, as `x-forwarded-proto` says.
fn forwarded_proto<'h>(head: &RequestHead<'h>) -> &'h str {
    header_text(head.headers, "x-forwarded-proto").unwrap_or(head.scheme)
}

fn header_text<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| HeaderValue::to_str(value).ok())
}

#[cfg(test)]
mod tests;
