//! How the heads of requests and answers change on a route.

use std::borrow::Cow;

use http::header::HOST;
use http::{HeaderName, HeaderValue};

use super::{Exchange, Forward};
use crate::header_format::FormatContext;
use crate::header_operations::{HeaderOperations, LevelOperations, Side};
use crate::headers::Headers;
use crate::listener::Direction;
use crate::request::{RequestHead, UpstreamHead, steers_router};
use crate::rewrite::HostRewrite;
use crate::route::{ForwardAction, RouteEntry, WeightedCluster};
use crate::timeouts::{CLIENT_PER_TRY_TIMEOUT, CLIENT_TIMEOUT, EXPECTED_TIMEOUT, to_grpc_timeout};

const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const DECORATOR: HeaderName = HeaderName::from_static("x-envoy-decorator-operation");
const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// Headers with which clients steer the router; they go no further.
const CONSUMED: &[&str] = &[
    CLIENT_TIMEOUT,
    CLIENT_PER_TRY_TIMEOUT,
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-upstream-rq-timeout-alt-response",
];

impl Forward {
    /// Makes `head`, the head that arrived, that of attempt number `exchange.attempts` (the first is 1): header
    /// operations, path and host rewrite, and the `x-envoy-…` headers. For a retry, start again from what arrived.
    pub fn apply_request_headers(
        &self,
        head: &mut UpstreamHead<'_>,
        original: &RequestHead<'_>,
        exchange: &Exchange<'_>,
    ) {
        self.envoy_request_headers(head.headers, original, exchange);
        let Some(action) = self.action() else { return };
        let weighted = self.weighted_cluster();
        // What is written into the request is known before an endpoint is, and the same in each attempt.
        let first = Exchange { attempts: 1, upstream: None, ..*exchange };
        let context = context(original, &first, &self.route);
        if let Some(weighted) = weighted {
            weighted.operations.request.apply(head.headers, Side::Request, &context);
            if let Some(host) = &weighted.host_rewrite {
                head.authority = Cow::Owned(host.to_string());
            }
        }
        let authority = head.authority.clone();
        let context = FormatContext { authority: &authority, ..context };
        for operations in levels(&self.route, |level| &level.request) {
            operations.apply(head.headers, Side::Request, &context);
        }
        if let Some(host) = self.new_host(action, head, exchange) {
            self.set_host(head, action, Cow::Owned(host));
        }
        if let Some(rewrite) = &action.path_rewrite {
            let matched = self.route.matcher.matched_length(&head.path);
            let path = rewrite.apply(&head.path, matched);
            if !self.suppress_envoy_headers
                && let Ok(original) = HeaderValue::from_str(&head.path)
            {
                head.headers.insert(ORIGINAL_PATH, original);
            }
            head.path = Cow::Owned(path);
        }
        if steers_router(head.headers) {
            for name in CONSUMED {
                head.headers.remove(*name);
            }
        }
    }

    fn envoy_request_headers(
        &self,
        headers: &mut Headers,
        original: &RequestHead<'_>,
        exchange: &Exchange<'_>,
    ) {
        if self.traced {
            let decorator = self.route.decorator.as_ref().filter(|d| d.propagate);
            match (self.direction, decorator) {
                (Direction::Outbound, Some(decorator)) => {
                    headers.insert(DECORATOR, decorator.operation.clone());
                }
                (Direction::Outbound, None) => {}
                (Direction::Inbound | Direction::Unspecified, _) => {
                    headers.remove(DECORATOR);
                }
            }
        }
        if let Some(expected) = self.timeouts.expected(exchange.elapsed) {
            let millis = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
            if !self.suppress_envoy_headers {
                headers.insert(EXPECTED_TIMEOUT, HeaderValue::from(millis));
            }
            let translated = self.action().is_some_and(|action| {
                action.max_grpc_timeout.is_some() && action.max_stream_duration.is_none()
            });
            if translated && original.is_grpc() {
                headers.insert("grpc-timeout", to_grpc_timeout(expected));
            }
        }
        if self.route.virtual_host.request_attempt_count {
            headers.insert(ATTEMPT_COUNT, number(exchange.attempts.max(1).into()));
        }
    }

    /// The host that the route wants instead.
    fn new_host(
        &self,
        action: &ForwardAction,
        head: &UpstreamHead<'_>,
        exchange: &Exchange<'_>,
    ) -> Option<String> {
        match action.host_rewrite.as_ref()? {
            HostRewrite::Literal(host) => Some(host.to_string()),
            HostRewrite::Endpoint => {
                exchange.upstream_hostname.filter(|name| !name.is_empty()).map(str::to_owned)
            }
            HostRewrite::Header(name) => {
                let value = head.headers.get(name)?.to_str().ok()?;
                (!value.is_empty()).then(|| value.to_owned())
            }
            HostRewrite::PathRegex(regex) => {
                Some(regex.apply(crate::path::without_query(&head.path)))
            }
        }
    }

    fn set_host<'a>(
        &self,
        head: &mut UpstreamHead<'a>,
        action: &ForwardAction,
        host: Cow<'a, str>,
    ) {
        if let Ok(before) = HeaderValue::from_str(&head.authority)
            && !before.is_empty()
        {
            if action.append_x_forwarded_host {
                append_forwarded_host(head.headers, &before);
            }
            if !self.suppress_envoy_headers {
                head.headers.insert(ORIGINAL_HOST, before);
            }
        }
        head.headers.remove(HOST);
        head.authority = host;
    }

    /// Applies the route's operations, CORS headers and `x-envoy-…` headers to the headers of the upstream's answer.
    pub fn apply_response_headers(
        &self,
        headers: &mut Headers,
        request: &RequestHead<'_>,
        exchange: &Exchange<'_>,
    ) {
        if let Some(time) = exchange.upstream_service_time.filter(|_| !self.suppress_envoy_headers)
        {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            headers.insert(SERVICE_TIME, number(millis));
        }
        if self.route.virtual_host.response_attempt_count {
            headers.insert(ATTEMPT_COUNT, number(exchange.attempts.max(1).into()));
        }
        self.response_operations(headers, request, exchange);
        if let Some(cookie) = &self.set_cookie {
            headers.append(http::header::SET_COOKIE, cookie.clone());
        }
        self.finish_response(headers, request);
    }

    /// Operations on response headers see the request as it was sent on.
    fn response_operations(
        &self,
        headers: &mut Headers,
        request: &RequestHead<'_>,
        exchange: &Exchange<'_>,
    ) {
        let weighted = self.weighted_cluster();
        let own = weighted.map(|weighted| &weighted.operations.response);
        let mut all = levels(&self.route, |level| &level.response).chain(own);
        if !all.any(HeaderOperations::tell_of_request) {
            return apply_response_operations(&self.route, weighted, headers, request, exchange);
        }
        let mut sent_headers = request.headers.clone();
        let mut sent = UpstreamHead {
            method: request.method,
            scheme: request.scheme,
            path: Cow::Borrowed(request.path),
            authority: Cow::Borrowed(request.authority),
            headers: &mut sent_headers,
        };
        let sending = Exchange { status: None, details: "", ..*exchange };
        self.apply_request_headers(&mut sent, request, &sending);
        let (path, authority) = (sent.path.into_owned(), sent.authority.into_owned());
        let sent =
            RequestHead { authority: &authority, path: &path, headers: &sent_headers, ..*request };
        apply_response_operations(&self.route, weighted, headers, &sent, exchange);
    }

    /// The part of the response headers that answers from here get as well: CORS, and the decorator.
    pub fn finish_response(&self, headers: &mut Headers, request: &RequestHead<'_>) {
        if let (Some(origin), Some(policy)) = (&self.cors_origin, &self.route.cors) {
            policy.apply(headers, origin);
        }
        if !self.traced {
            return;
        }
        match self.direction {
            Direction::Outbound => {
                headers.remove(DECORATOR);
            }
            Direction::Inbound | Direction::Unspecified => {
                decorate_response(&self.route, headers, request);
            }
        }
    }
}

/// Tells the client of an inbound request the name of the operation, unless it named one itself.
pub(crate) fn decorate_response(
    route: &RouteEntry,
    headers: &mut Headers,
    request: &RequestHead<'_>,
) {
    if let Some(decorator) = route.decorator.as_ref().filter(|d| d.propagate)
        && !request.headers.contains_key(&DECORATOR)
    {
        headers.insert(DECORATOR, decorator.operation.clone());
    }
}

impl RouteEntry {
    /// Changes the headers of an answer that the route gives itself, as all levels of configuration say.
    pub fn apply_response_headers(&self, headers: &mut Headers, request: &RequestHead<'_>) {
        apply_response_operations(self, None, headers, request, &Exchange::default());
    }
}

/// Applies the operations on response headers of all levels.
pub(crate) fn apply_response_operations(
    route: &RouteEntry,
    weighted: Option<&WeightedCluster>,
    headers: &mut Headers,
    request: &RequestHead<'_>,
    exchange: &Exchange<'_>,
) {
    let context = context(request, exchange, route);
    if let Some(weighted) = weighted {
        weighted.operations.response.apply(headers, Side::Response, &context);
    }
    for operations in levels(route, |level| &level.response) {
        operations.apply(headers, Side::Response, &context);
    }
}

/// `number` as the value of a header. Small ones, as service times and attempts mostly are, cost nothing.
fn number(number: u64) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(number).ok().and_then(|index| SMALL.get(index)) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(number),
    }
}

/// The operations of route, virtual host and route configuration, in the order in which they apply.
fn levels(
    route: &RouteEntry,
    part: impl Fn(&LevelOperations) -> &HeaderOperations,
) -> impl Iterator<Item = &HeaderOperations> {
    let host = &route.virtual_host;
    let specific = [&route.operations, &host.operations, &host.table.operations];
    let general = [&host.table.operations, &host.operations, &route.operations];
    let order = if host.table.most_specific_wins { general } else { specific };
    order.into_iter().map(part).filter(|operations| !operations.is_empty())
}

fn context<'a>(
    request: &'a RequestHead<'_>,
    exchange: &'a Exchange<'_>,
    route: &'a RouteEntry,
) -> FormatContext<'a> {
    FormatContext {
        request_headers: request.headers,
        method: request.method.as_str(),
        authority: request.authority,
        path: request.path,
        scheme: request.scheme,
        version: request.version,
        downstream: request.downstream,
        client: request.client,
        response_headers: None,
        exchange,
        route_name: &route.name,
    }
}

fn append_forwarded_host(headers: &mut Headers, host: &HeaderValue) {
    let mut list = Vec::new();
    if let Some(there) = headers.get(FORWARDED_HOST) {
        // Not again if it is the last one already.
        if there.as_bytes().split(|b| *b == b',').next_back().map(<[u8]>::trim_ascii)
            == Some(host.as_bytes())
        {
            return;
        }
        list.extend_from_slice(there.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(host.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(FORWARDED_HOST, value);
    }
}
