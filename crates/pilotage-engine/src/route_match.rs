//! Which requests a route takes.

mod header;
mod metadata;
mod query;

use pilotage_proto::envoy::config::route::v3::RouteMatch as Proto;
use pilotage_proto::envoy::config::route::v3::route_match::PathSpecifier;

pub use header::{HeaderMatch, HeaderTest};
pub use metadata::MetadataMatch;
pub use query::QueryMatch;

use crate::fraction::Fraction;
use crate::path::without_query;
use crate::regular_expression::WholeMatch;
use crate::rejection::FieldError;
use crate::request::RequestHead;
use crate::trace::{Condition, Trace};

/// A compiled route match. All its conditions must hold.
#[derive(Debug)]
pub struct RouteMatch {
    path: PathMatch,
    headers: Vec<HeaderMatch>,
    query: Vec<QueryMatch>,
    metadata: Vec<MetadataMatch>,
    fraction: Option<Fraction>,
    grpc: bool,
}

/// The condition on the path, without query.
#[derive(Debug)]
pub enum PathMatch {
    /// It begins with this.
    Prefix {
        /// Its beginning.
        prefix: Box<str>,
        /// Whether ASCII letters of both cases are alike.
        ignore_case: bool,
    },
    /// It is this.
    Exact {
        /// The whole path.
        path: Box<str>,
        /// Whether ASCII letters of both cases are alike.
        ignore_case: bool,
    },
    /// It is this, or this and a slash and anything.
    SeparatedPrefix {
        /// Its first segments, without the slash at the end.
        prefix: Box<str>,
        /// Whether ASCII letters of both cases are alike.
        ignore_case: bool,
    },
    /// All of it matches a regular expression.
    Regex(Box<WholeMatch>),
    /// The method is CONNECT.
    Connect,
}

/// A request as route matches see it: parts that many routes look at are prepared once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) head: &'a RequestHead<'a>,
    /// Path without query, and without path parameters where those are ignored.
    pub(crate) path: &'a str,
    /// The request's random number: all fractions of one request are decided by the same one.
    pub(crate) random: u64,
}

impl RouteMatch {
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let headers = proto.headers.iter().enumerate().map(|(index, header)| {
            HeaderMatch::compile(header).map_err(|e| e.within(format!("headers[{index}]")))
        });
        let query = proto.query_parameters.iter().enumerate().map(|(index, parameter)| {
            QueryMatch::compile(parameter)
                .map_err(|e| e.within(format!("query_parameters[{index}]")))
        });
        let metadata = proto.dynamic_metadata.iter().enumerate().map(|(index, metadata)| {
            MetadataMatch::compile(metadata)
                .map_err(|e| e.within(format!("dynamic_metadata[{index}]")))
        });
        Ok(Self {
            path: PathMatch::compile(proto)?,
            headers: headers.collect::<Result<_, _>>()?,
            query: query.collect::<Result<_, _>>()?,
            metadata: metadata.collect::<Result<_, _>>()?,
            fraction: proto.runtime_fraction.as_ref().map(Fraction::of_runtime),
            grpc: proto.grpc.is_some(),
        })
    }

    /// The condition on the path.
    pub fn path(&self) -> &PathMatch {
        &self.path
    }

    /// Conditions on headers and on what goes by the name of one, such as `:method`.
    pub fn headers(&self) -> &[HeaderMatch] {
        &self.headers
    }

    /// Conditions on query parameters.
    pub fn query_parameters(&self) -> &[QueryMatch] {
        &self.query
    }

    /// Whether the request has to be gRPC.
    pub fn is_for_grpc(&self) -> bool {
        self.grpc
    }

    /// Whether a share of the requests only is taken, by chance.
    pub fn depends_on_chance(&self) -> bool {
        self.fraction.is_some()
    }

    /// Conditions on what filters found out about the request.
    pub fn dynamic_metadata(&self) -> &[MetadataMatch] {
        &self.metadata
    }

    /// Whether the conditions on metadata hold for requests of which no filter found out anything. So it is for all that
    /// come from the network, as no filter of this proxy does.
    pub fn holds_without_metadata(&self) -> bool {
        self.metadata.iter().all(|metadata| metadata.matches(None))
    }

    /// Whether all conditions hold. With a listener all of them are tried, without one the first that fails ends it.
    pub(crate) fn matches(&self, subject: &Subject<'_>, trace: &mut impl Trace) -> bool {
        let mut all = true;
        for (condition, holds) in self.conditions(subject) {
            trace.condition(condition, subject.head, holds);
            all &= holds;
            if !all && !is_active(trace) {
                return false;
            }
        }
        all
    }

    /// Each condition with its outcome, computed as the iterator is advanced; the cheapest first.
    fn conditions<'s>(
        &'s self,
        subject: &'s Subject<'_>,
    ) -> impl Iterator<Item = (Condition<'s>, bool)> {
        let path = std::iter::once_with(|| {
            let (kind, operand) = self.path.describe();
            (Condition::Path(kind, operand), self.path.matches(subject))
        });
        let fraction = self
            .fraction
            .iter()
            .map(|f| (Condition::Fraction(f.millionths()), f.contains(subject.random)));
        let grpc = self.grpc.then(|| (Condition::Grpc, subject.head.is_grpc())).into_iter();
        let headers = self.headers.iter().map(|h| (Condition::Header(h), h.matches(subject.head)));
        let query =
            self.query.iter().map(|q| (Condition::QueryParameter(q), q.matches(subject.head.path)));
        let metadata = self
            .metadata
            .iter()
            .map(|m| (Condition::Metadata(m), m.matches(subject.head.metadata)));
        path.chain(fraction).chain(grpc).chain(headers).chain(query).chain(metadata)
    }

    /// How much of `path` (without query) a prefix rewrite replaces: the prefix, or for other matches all of it.
    pub(crate) fn matched_length(&self, path: &str) -> usize {
        match &self.path {
            PathMatch::Prefix { prefix, .. } | PathMatch::SeparatedPrefix { prefix, .. } => {
                prefix.len().min(path.len())
            }
            PathMatch::Exact { .. } | PathMatch::Regex(_) | PathMatch::Connect => {
                without_query(path).len()
            }
        }
    }
}

/// Whether anybody listens to `trace`.
fn is_active<T: Trace>(_: &T) -> bool {
    T::ACTIVE
}

impl PathMatch {
    fn compile(proto: &Proto) -> Result<Self, FieldError> {
        let ignore_case = proto.case_sensitive == Some(false);
        Ok(match &proto.path_specifier {
            Some(PathSpecifier::Prefix(prefix)) => {
                Self::Prefix { prefix: prefix.as_str().into(), ignore_case }
            }
            Some(PathSpecifier::Path(path)) => {
                Self::Exact { path: path.as_str().into(), ignore_case }
            }
            Some(PathSpecifier::PathSeparatedPrefix(prefix)) => {
                if !prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains(['?', '#'])
                {
                    let message = "must begin with a slash, not end with one, and hold no ? or #";
                    return Err(FieldError::new("path_separated_prefix", message));
                }
                Self::SeparatedPrefix { prefix: prefix.as_str().into(), ignore_case }
            }
            Some(PathSpecifier::SafeRegex(regex)) => Self::Regex(Box::new(
                WholeMatch::compile(regex).map_err(|e| e.within("safe_regex"))?,
            )),
            Some(PathSpecifier::ConnectMatcher(_)) => Self::Connect,
            None => return Err(FieldError::new("path_specifier", "is required")),
        })
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        let path = subject.path;
        match self {
            Self::Prefix { prefix, ignore_case } => starts_with(path, prefix, *ignore_case),
            Self::Exact { path: wanted, ignore_case: false } => path == &**wanted,
            Self::Exact { path: wanted, ignore_case: true } => path.eq_ignore_ascii_case(wanted),
            Self::SeparatedPrefix { prefix, ignore_case } => {
                starts_with(path, prefix, *ignore_case)
                    && matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'))
            }
            Self::Regex(regex) => regex.matches(path.as_bytes()),
            Self::Connect => subject.head.method == http::Method::CONNECT,
        }
    }

    fn describe(&self) -> (&'static str, &str) {
        match self {
            Self::Prefix { prefix, .. } => ("prefix", prefix),
            Self::Exact { path, .. } => ("path", path),
            Self::SeparatedPrefix { prefix, .. } => ("path_separated_prefix", prefix),
            Self::Regex(regex) => ("safe_regex", regex.written()),
            Self::Connect => ("connect", ""),
        }
    }
}

fn starts_with(path: &str, prefix: &str, ignore_case: bool) -> bool {
    match path.as_bytes().get(..prefix.len()) {
        Some(start) if ignore_case => start.eq_ignore_ascii_case(prefix.as_bytes()),
        Some(start) => start == prefix.as_bytes(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
