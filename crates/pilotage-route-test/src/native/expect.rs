//! What tests expect.

use std::collections::BTreeMap;

use pilotage_config::decode::{Decode, Decoder};
use pilotage_config::schema::Shape;
use pilotage_config::yaml::{Node, NodeKind};
use pilotage_config::{Double, Duration, message};

use super::shares::Shares;

/// What should become of a request. What is not said may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expect(pub Box<Fields>);

message! {
    /// What should become of a request.
    pub struct Fields as "what is expected" {
        /// Where requests go, with exact shares.
        pub to: Option<Shares>,
        /// Path and query as the upstream sees them.
        pub path: Option<String>,
        /// Host as the upstream sees it.
        pub host: Option<String>,
        /// Headers as the upstream sees them; null for one that must not be there.
        pub request_headers: BTreeMap<String, Option<String>>,
        /// Headers as the client sees them; null for one that must not be there.
        pub response_headers: BTreeMap<String, Option<String>>,
        /// Limit of the whole request.
        pub timeout: Option<Limit>,
        /// Retries.
        pub retries: Option<Retries>,
        /// Injected faults.
        pub fault: Option<Fault>,
        /// Clusters that get copies, with their shares.
        pub mirror: Option<Shares>,
        /// The URL that the client is sent to.
        pub redirect: Option<String>,
        /// Status of an answer that the proxy gives itself.
        pub status: Option<Status>,
        /// Body of such an answer.
        pub body: Option<String>,
        /// Envoy's response flags of such an answer.
        pub flags: Option<String>,
        /// The rule that takes the request: its name, or `reviews http[1]`.
        pub rule: Option<String>,
    }
}

impl Decode for Expect {
    const SHAPE: Shape = Fields::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fields = match &node.kind {
            // Where requests go is what most tests are about.
            NodeKind::String(_) => {
                Fields { to: Some(Shares::decode(node, decoder)?), ..Fields::default() }
            }
            _ => Fields::decode(node, decoder)?,
        };
        Some(Self(Box::new(fields)))
    }
}

/// Whether `text` says that there is no such thing.
fn is_none(node: &Node) -> bool {
    matches!(node.as_str(), Some("none" | "-"))
}

/// A time limit or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit(pub Option<Duration>);

impl Decode for Limit {
    const SHAPE: Shape = Shape::Scalar("a duration such as 500ms, or `none`");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if is_none(node) {
            return Some(Self(None));
        }
        Duration::decode(node, decoder).map(|limit| Self(Some(limit)))
    }
}

/// The status of the proxy's own answer, or none when it gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub Option<u32>);

impl Decode for Status {
    const SHAPE: Shape = Shape::Scalar("a status, or `none`");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if is_none(node) {
            return Some(Self(None));
        }
        let status = match &node.kind {
            NodeKind::Int(raw) => raw.parse().ok().filter(|status| (100..=999).contains(status)),
            _ => None,
        };
        if status.is_none() {
            decoder.wrong_type(node, "a status such as 404, or `none`");
        }
        status.map(|status| Self(Some(status)))
    }
}

/// What is expected of retries; the default expects none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Retries(pub RetryFields);

message! {
    /// Retries.
    pub struct RetryFields as "retries" {
        /// How often it is tried again.
        pub attempts: u32,
        /// Limit of each attempt.
        pub per_try_timeout: Option<Limit>,
        /// Conditions, with commas between; their order does not matter.
        pub retry_on: Option<String>,
    }
}

impl Decode for Retries {
    const SHAPE: Shape = RetryFields::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if is_none(node) {
            return Some(Self::default());
        }
        if let NodeKind::Int(_) = node.kind {
            let attempts = u32::decode(node, decoder)?;
            return Some(Self(RetryFields { attempts, ..RetryFields::default() }));
        }
        RetryFields::decode(node, decoder).map(Self)
    }
}

/// What is expected of faults; the default expects none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fault(pub FaultFields);

message! {
    /// Injected faults.
    pub struct FaultFields as "fault" {
        /// Answers in place of the upstream's.
        pub abort: Option<Abort>,
        /// Waiting.
        pub delay: Option<Delay>,
    }
}

message! {
    /// An injected answer.
    pub struct Abort as "abort" {
        /// HTTP status.
        pub status: Option<u32>,
        /// Number of a gRPC status.
        pub grpc_status: Option<u32>,
        /// Share of requests in percent; 100 when not said.
        pub percent: Option<Double>,
    }
}

message! {
    /// An injected delay.
    pub struct Delay as "delay" {
        /// How long.
        pub time: Option<Duration>,
        /// Share of requests in percent; 100 when not said.
        pub percent: Option<Double>,
    }
}

impl Decode for Fault {
    const SHAPE: Shape = FaultFields::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if is_none(node) {
            return Some(Self::default());
        }
        FaultFields::decode(node, decoder).map(Self)
    }
}
