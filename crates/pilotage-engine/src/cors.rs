//! Cross-origin requests.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN,
};
use http::{HeaderValue, Method, StatusCode};
use pilotage_proto::envoy::extensions::filters::http::cors::v3::CorsPolicy as Proto;
use pilotage_proto::{Any, unpack};

use crate::fraction::Fraction;
use crate::headers::Headers;
use crate::local_reply::LocalReply;
use crate::rejection::{FieldError, Warnings};
use crate::request::RequestHead;
use crate::response_flag::details;
use crate::string_match::StringMatch;

/// Name of the filter, which is the key of its per-route configuration.
pub(crate) const FILTER: &str = "envoy.filters.http.cors";

/// CORS policy of a route.
#[derive(Debug)]
pub struct CorsPolicy {
    origins: Vec<StringMatch>,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    credentials: bool,
    enabled: bool,
    forward_unmatched_preflights: bool,
}

/// What CORS makes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing: it is not cross-origin, or its origin is not allowed.
    Ignore,
    /// The answer gets CORS headers for this origin.
    Allow(HeaderValue),
    /// A preflight request, answered here.
    Answer(Box<LocalReply>),
}

impl CorsPolicy {
    pub(crate) fn compile(any: &Any, warnings: &mut Warnings) -> Result<Self, FieldError> {
        let proto: Proto = unpack(any).map_err(|e| FieldError::new("", e.to_string()))?;
        let origins = proto.allow_origin_string_match.iter().enumerate().map(|(index, origin)| {
            StringMatch::compile(origin)
                .map_err(|e| e.within(format!("allow_origin_string_match[{index}]")))
        });
        let origins = origins.collect::<Result<_, _>>()?;
        if proto.allow_private_network_access == Some(true) {
            warnings.note("allow_private_network_access", "is not obeyed");
        }
        let value = |field: &str, text: &str| {
            let value = HeaderValue::from_str(text)
                .map_err(|_| FieldError::new(field, "cannot be a header value"))?;
            Ok::<_, FieldError>((!text.is_empty()).then_some(value))
        };
        let enabled = proto.filter_enabled.as_ref().map_or(Fraction::ALL, Fraction::of_runtime);
        if enabled != Fraction::ALL && enabled.millionths() != 0 && enabled.millionths() < 1_000_000
        {
            warnings.note("filter_enabled", "a share between none and all counts as all");
        }
        Ok(Self {
            origins,
            methods: value("allow_methods", &proto.allow_methods)?,
            headers: value("allow_headers", &proto.allow_headers)?,
            expose: value("expose_headers", &proto.expose_headers)?,
            max_age: value("max_age", &proto.max_age)?,
            credentials: proto.allow_credentials == Some(true),
            enabled: enabled.millionths() > 0,
            forward_unmatched_preflights: proto.forward_not_matching_preflights.unwrap_or(true),
        })
    }

    pub(crate) fn decide(&self, head: &RequestHead<'_>) -> Verdict {
        let Some(origin) = head.headers.get(ORIGIN).filter(|o| self.enabled && !o.is_empty())
        else {
            return Verdict::Ignore;
        };
        let preflight = head.method == Method::OPTIONS
            && head.headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|m| !m.is_empty());
        let allowed = self
            .origins
            .iter()
            .any(|wanted| wanted.is_exactly("*") || wanted.matches(origin.as_bytes()));
        if !allowed && (!preflight || self.forward_unmatched_preflights) {
            return Verdict::Ignore;
        }
        if !preflight {
            return Verdict::Allow(origin.clone());
        }
        let mut reply = LocalReply::new(StatusCode::OK, "", details::CORS_RESPONSE);
        reply.as_http = true;
        put(&mut reply.headers, ACCESS_CONTROL_ALLOW_METHODS, self.methods.as_ref());
        put(&mut reply.headers, ACCESS_CONTROL_ALLOW_HEADERS, self.headers.as_ref());
        put(&mut reply.headers, ACCESS_CONTROL_MAX_AGE, self.max_age.as_ref());
        if self.credentials {
            // For foreign origins too, whom it helps nothing.
            let allowed = HeaderValue::from_static("true");
            reply.headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, allowed);
        }
        if allowed {
            self.apply(&mut reply.headers, origin);
        }
        Verdict::Answer(Box::new(reply))
    }

    /// Adds the headers that every answer to an allowed origin has.
    pub(crate) fn apply(&self, headers: &mut Headers, origin: &HeaderValue) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.as_ref());
    }
}

fn put(headers: &mut Headers, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
}
