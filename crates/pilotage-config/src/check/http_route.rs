//! Rules of one `http[]` entry.

use super::checker::Checker;
use super::scope::Scope;
use super::{
    cors, destination, direct_response, faults, header_operations, http_match, mirrors, redirect,
    retries, rewrite,
};
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpRoute, HttpRouteDestination};

pub(super) fn check(route: &HttpRoute, scope: Scope, at: &FieldPath, checker: &mut Checker<'_>) {
    actions(route, scope, at, checker);
    for (index, block) in route.match_.iter().enumerate() {
        http_match::check(block, scope, &at.field("match").index(index), checker);
    }
    header_operations::check(route.headers.as_deref(), &at.field("headers"), checker);
    let rewritten = route.rewrite.as_ref().is_some_and(|r| !r.authority.is_empty());
    let headers = route.headers.as_deref();
    header_operations::authority_once(rewritten, headers, &at.field("headers"), checker);
    if let Some(policy) = &route.cors_policy {
        cors::check(policy, &at.field("corsPolicy"), checker);
    }
    if let Some(fault) = &route.fault {
        faults::check(fault, &at.field("fault"), checker);
    }
    mirrors::check(route, at, checker);
    if let Some(redirect) = &route.redirect {
        redirect::check(redirect, route, &at.field("redirect"), checker);
    }
    if let Some(response) = &route.direct_response {
        direct_response::check(response, &at.field("directResponse"), checker);
    }
    if let Some(policy) = &route.retries {
        retries::check(policy, &at.field("retries"), checker);
    }
    if let Some(rewrite) = &route.rewrite {
        rewrite::check(rewrite, &at.field("rewrite"), checker);
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
        header_operations::check(entry.headers.as_deref(), &at.field("headers"), checker);
        let headers = entry.headers.as_deref();
        header_operations::authority_once(false, headers, &at.field("headers"), checker);
        destination::weighted(entry.destination.as_ref(), entry.weight, &at, checker);
    }
    destination::weights_add_up(routes.iter().map(|entry| entry.weight), at, checker);
}
