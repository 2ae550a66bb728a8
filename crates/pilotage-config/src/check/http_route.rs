//! Rules of one `http[]` entry.

use super::checker::Checker;
use super::virtual_service::Scope;
use super::{faults, header_operations, hosts, http_match, names, ports, retries};
use crate::field_path::FieldPath;
use crate::virtual_service::{
    CorsPolicy, Destination, HttpDirectResponse, HttpRedirect, HttpRewrite, HttpRoute,
    HttpRouteDestination, StringMatch,
};

/// Largest body of a direct response: what Envoy will hold.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Size from which a body makes the configuration of every proxy heavy.
const BODY_BYTES_ADVISED: usize = 100 << 10;

pub(super) fn check(route: &HttpRoute, scope: Scope, at: &FieldPath, checker: &mut Checker<'_>) {
    actions(route, scope, at, checker);
    for (index, block) in route.match_.iter().enumerate() {
        http_match::check(block, scope, &at.field("match").index(index), checker);
    }
    header_operations::check(route.headers.as_ref(), &at.field("headers"), checker);
    let rewritten = route.rewrite.as_ref().is_some_and(|r| !r.authority.is_empty());
    let headers = route.headers.as_ref();
    header_operations::authority_once(rewritten, headers, &at.field("headers"), checker);
    if let Some(policy) = &route.cors_policy {
        cors(policy, &at.field("corsPolicy"), checker);
    }
    if let Some(fault) = &route.fault {
        faults::check(fault, &at.field("fault"), checker);
    }
    faults::mirrors(route, at, checker);
    if let Some(redirect) = &route.redirect {
        check_redirect(redirect, route, &at.field("redirect"), checker);
    }
    if let Some(response) = &route.direct_response {
        check_direct_response(response, &at.field("directResponse"), checker);
    }
    if let Some(policy) = &route.retries {
        retries::check(policy, &at.field("retries"), checker);
    }
    if let Some(rewrite) = &route.rewrite {
        check_rewrite(rewrite, &at.field("rewrite"), checker);
    }
    destinations(&route.route, &at.field("route"), checker);
    checker.duration(&at.field("timeout"), route.timeout);
}

/// Which of route, redirect, directResponse and delegate may stand together.
fn actions(route: &HttpRoute, scope: Scope, at: &FieldPath, checker: &mut Checker<'_>) {
    let mut both = |first: &str, second: &str, why: &str| {
        let message = format!("`{at}` cannot have both `{first}` and `{second}`: {why}");
        checker.error(&at.field(second), message, format!("not beside `{first}`"));
    };
    if route.delegate.is_some() && scope.is_delegate {
        checker.error(
            &at.field("delegate"),
            "a delegate cannot delegate further",
            "one level only",
        );
        return;
    }
    if route.delegate.is_some() {
        let why = "the delegate says where requests go";
        if route.redirect.is_some() {
            both("delegate", "redirect", why);
        }
        if !route.route.is_empty() {
            both("delegate", "route", why);
        }
        return;
    }
    let present = [
        ("route", !route.route.is_empty()),
        ("fault", route.fault.is_some()),
        ("rewrite", route.rewrite.is_some()),
    ];
    let answered = "the proxy answers by itself";
    if route.redirect.is_some() {
        for (field, _) in present.iter().filter(|(_, is_set)| *is_set) {
            both("redirect", field, answered);
        }
        if route.direct_response.is_some() {
            both("redirect", "directResponse", answered);
        }
    } else if route.direct_response.is_some() {
        for (field, _) in present.iter().filter(|(_, is_set)| *is_set) {
            both("directResponse", field, answered);
        }
    } else if route.route.is_empty() {
        checker.error(
            at,
            format!("`{at}` says nothing about where requests go"),
            "needs `route`, `redirect`, `directResponse` or `delegate`",
        );
    }
}

fn destinations(routes: &[HttpRouteDestination], at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, entry) in routes.iter().enumerate() {
        let at = at.index(index);
        header_operations::check(entry.headers.as_ref(), &at.field("headers"), checker);
        let headers = entry.headers.as_ref();
        header_operations::authority_once(false, headers, &at.field("headers"), checker);
        weighted_destination(entry.destination.as_ref(), entry.weight, &at, checker);
    }
    weights_add_up(routes.iter().map(|entry| entry.weight), at, checker);
}

/// One entry of a weighted list.
pub(super) fn weighted_destination(
    target: Option<&Destination>,
    weight: i32,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    match target {
        Some(target) => destination(target, &at.field("destination"), checker),
        None => checker.error(at, format!("`{at}` has no destination"), "needs a `destination`"),
    }
    checker.not_negative(&at.field("weight"), weight);
}

/// Of several weights at least one has to be more than zero.
pub(super) fn weights_add_up(
    weights: impl ExactSizeIterator<Item = i32>,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    if weights.len() > 1 && weights.map(i64::from).sum::<i64>() == 0 {
        checker.error(at, format!("all weights of `{at}` are 0"), "nobody gets a request");
        checker.help("give each destination its share with `weight`");
    }
}

/// Host, subset and port of a destination.
pub(super) fn destination(destination: &Destination, at: &FieldPath, checker: &mut Checker<'_>) {
    if destination.host == "*" {
        checker.error(&at.field("host"), "a destination is one host, not `*`", "not a host");
    } else {
        hosts::wildcard_host(&destination.host, &at.field("host"), checker);
    }
    if !destination.subset.is_empty() && !names::is_dns_label(&destination.subset) {
        checker.error(
            &at.field("subset"),
            format!("`{}` is not the name of a subset", destination.subset),
            "letters, digits and dashes only",
        );
    }
    if let Some(port) = &destination.port {
        ports::number(port.number, &at.field("port").field("number"), checker);
    }
}

fn cors(policy: &CorsPolicy, at: &FieldPath, checker: &mut Checker<'_>) {
    for (index, origin) in policy.allow_origins.iter().enumerate() {
        let at = at.field("allowOrigins").index(index);
        if origin.pattern().is_none_or(str::is_empty) {
            checker.error(&at, "an allowed origin cannot be empty", "which origin?");
        } else if let StringMatch::Regex(pattern) = origin {
            http_match::regex(pattern, &at, checker);
        }
    }
    for (index, method) in policy.allow_methods.iter().enumerate() {
        let known =
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];
        if !known.contains(&method.as_str()) {
            let at = at.field("allowMethods").index(index);
            checker.error(&at, format!("`{method}` is not an HTTP method"), "unknown method");
        }
    }
    for (field, list) in
        [("allowHeaders", &policy.allow_headers), ("exposeHeaders", &policy.expose_headers)]
    {
        for (index, name) in list.iter().enumerate() {
            if name != "*" && !names::is_token(name) {
                let at = at.field(field).index(index);
                checker.error(&at, format!("`{name}` is not a header name"), "not a header name");
            }
        }
    }
    let at = at.field("maxAge");
    checker.duration(&at, policy.max_age);
    if policy.max_age.is_some_and(|age| age.as_nanos() % 1_000_000_000 != 0) {
        checker.error(&at, "`maxAge` is given to browsers in whole seconds", "no fractions");
    }
}

fn check_redirect(
    redirect: &HttpRedirect,
    route: &HttpRoute,
    at: &FieldPath,
    checker: &mut Checker<'_>,
) {
    let nothing = redirect.uri.is_empty()
        && redirect.prefix_rewrite.is_empty()
        && redirect.authority.is_empty()
        && redirect.scheme.is_empty()
        && redirect.port.is_none()
        && redirect.derive_port.is_none();
    if nothing {
        checker.error(
            at,
            "a redirect has to change something",
            "needs uri, authority, port or scheme",
        );
    }
    if !redirect.prefix_rewrite.is_empty() {
        if !redirect.uri.is_empty() {
            checker.error(
                at,
                "`uri` and `prefixRewrite` both say what the path becomes",
                "one of them",
            );
        }
        let by_prefix = |uri: &Option<StringMatch>| matches!(uri, Some(StringMatch::Prefix(_)));
        if route.match_.iter().any(|block| block.uri.is_some() && !by_prefix(&block.uri)) {
            checker.error(
                &at.field("prefixRewrite"),
                "`prefixRewrite` needs matches by uri prefix: nothing else tells what to replace",
                "not with exact or regex",
            );
        }
    }
    let code = redirect.redirect_code;
    if code != 0 && !(300..=399).contains(&code) {
        checker.error(&at.field("redirectCode"), format!("{code} does not redirect"), "300 to 399");
    }
    if !matches!(redirect.scheme.as_str(), "" | "http" | "https") {
        checker.error(&at.field("scheme"), "the scheme has to be http or https", "unknown scheme");
    }
    if let Some(port) = redirect.port {
        ports::number(port, &at.field("port"), checker);
    }
}

fn check_direct_response(response: &HttpDirectResponse, at: &FieldPath, checker: &mut Checker<'_>) {
    if !(200..=600).contains(&response.status) {
        let message = format!("{} is not a status from 200 to 600", response.status);
        checker.error(&at.field("status"), message, "not a status");
    }
    let size = response.body.as_ref().map_or(0, |body| {
        body.string.as_ref().map_or(0, String::len) + body.bytes.as_ref().map_or(0, |b| b.0.len())
    });
    if size > BODY_BYTES_MAX {
        checker.error(&at.field("body"), "the body is larger than 1 MiB", "too large");
    } else if size > BODY_BYTES_ADVISED {
        checker.warning(
            &at.field("body"),
            "a body of more than 100 KiB is sent to every proxy with the configuration",
            "large",
        );
    }
}

fn check_rewrite(rewrite: &HttpRewrite, at: &FieldPath, checker: &mut Checker<'_>) {
    let regex = rewrite.uri_regex_rewrite.as_ref();
    if rewrite.uri.is_empty() && rewrite.authority.is_empty() && regex.is_none() {
        checker.error(
            at,
            "a rewrite has to change something",
            "needs uri, authority or uriRegexRewrite",
        );
    }
    let Some(regex) = regex else { return };
    let at_regex = at.field("uriRegexRewrite");
    if !rewrite.uri.is_empty() {
        checker.error(
            at,
            "`uri` and `uriRegexRewrite` both say what the path becomes",
            "one of them",
        );
    }
    if regex.match_.is_empty() || regex.rewrite.is_empty() {
        checker.error(&at_regex, "both `match` and `rewrite` are needed", "incomplete");
    } else {
        http_match::regex(&regex.match_, &at_regex.field("match"), checker);
    }
}
