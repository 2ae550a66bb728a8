//! `http[]`: one rule for HTTP requests.

use super::{
    CorsPolicy, Delegate, Destination, Headers, HttpDirectResponse, HttpFaultInjection,
    HttpMatchRequest, HttpMirrorPolicy, HttpRedirect, HttpRetry, HttpRewrite, Percent,
};
use crate::duration::Duration;
use crate::message::message;

message! {
    /// A rule: which requests it takes, and what happens to them.
    ///
    /// What most rules do not have is a pointer, as there are many thousands of rules.
    pub struct HttpRoute as "HTTPRoute" {
        /// A name for logs and statistics.
        pub name: String,
        /// Blocks of conditions, one of which has to hold. None means every request.
        pub match_ as "match": Vec<HttpMatchRequest>,
        /// Where requests go, by weight.
        pub route: Vec<HttpRouteDestination>,
        /// Answers with a redirect instead of forwarding.
        pub redirect: Option<Box<HttpRedirect>>,
        /// Answers with a fixed response instead of forwarding.
        pub direct_response: Option<Box<HttpDirectResponse>>,
        /// Hands the decision to the rules of another VirtualService.
        pub delegate: Option<Box<Delegate>>,
        /// Changes path and host on the way to the destination.
        pub rewrite: Option<Box<HttpRewrite>>,
        /// The time for the whole request, retries included. Absent means no limit.
        pub timeout: Option<Duration>,
        /// When and how often to try again. Absent means the mesh default.
        pub retries: Option<Box<HttpRetry>>,
        /// Faults to inject.
        pub fault: Option<Box<HttpFaultInjection>>,
        /// A destination that gets a copy of requests.
        pub mirror: Option<Box<Destination>>,
        /// Several such destinations, each with a share of its own.
        pub mirrors: Vec<HttpMirrorPolicy>,
        /// Deprecated: the share of `mirror` in whole percent.
        pub mirror_percent: Option<u32>,
        /// The share of requests that `mirror` gets. Absent means all.
        pub mirror_percentage: Option<Percent>,
        /// Cross-origin resource sharing.
        pub cors_policy: Option<Box<CorsPolicy>>,
        /// Changes to headers, for all destinations.
        pub headers: Option<Box<Headers>>,
    }
}

message! {
    /// A destination of a rule and its share.
    pub struct HttpRouteDestination as "HTTPRouteDestination" {
        /// Where requests go.
        pub destination: Option<Destination>,
        /// The share: this weight divided by the sum of all weights.
        pub weight: i32,
        /// Changes to headers, for this destination only.
        pub headers: Option<Box<Headers>>,
    }
}
