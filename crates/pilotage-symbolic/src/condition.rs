//! One condition on a request: what is looked at, and what it has to be.

use std::fmt;

use pilotage_engine::header_format::HeaderSource;
use pilotage_engine::route_match::{HeaderMatch, HeaderTest, PathMatch, QueryMatch, RouteMatch};

use crate::text::{Comparison, Text, write_comparison};
use crate::witness::Request;

/// A part of a request that conditions look at. Each is independent of all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The path without query.
    Path,
    /// A header, by its name in lower case.
    Header(Box<str>),
    /// The first raw value of a query parameter, by its name.
    Query(Box<str>),
    /// The method.
    Method,
    /// The scheme.
    Scheme,
    /// The authority, port included.
    Authority,
}

impl Dimension {
    /// Whether a request may come without it.
    pub(crate) fn may_be_absent(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Query(_))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("path"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Query(name) => write!(f, "query parameter {name}"),
            Self::Method => f.write_str("method"),
            Self::Scheme => f.write_str("scheme"),
            Self::Authority => f.write_str("authority"),
        }
    }
}

/// What a part of a request has to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Test {
    /// There at all.
    Present,
    /// Like this.
    Text(Text),
}

/// A condition on one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Condition {
    /// What is looked at.
    pub dimension: Dimension,
    pub(crate) test: Test,
    /// Whether the test has to fail instead.
    pub(crate) inverted: bool,
    /// Whether what is not there is tested as an empty text, rather than failing the condition.
    pub(crate) missing_is_empty: bool,
    /// What is not there fulfils the condition: it is one that was turned around.
    pub(crate) missing_fits: bool,
}

/// The conditions of a route cannot be told in automata of independent parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// What a route asks of its requests: `None`, if nothing can fulfil it.
pub(crate) fn conditions(matcher: &RouteMatch) -> Result<Option<Vec<Condition>>, Unsupported> {
    if matcher.depends_on_chance() {
        return Err(Unsupported);
    }
    let mut all = Vec::new();
    match path(matcher.path()) {
        Some(None) => {}
        Some(Some(text)) => all.push(Condition::of(Dimension::Path, Test::Text(text))),
        // CONNECT has no path, and is no part of the model.
        None => return Ok(None),
    }
    if matcher.is_for_grpc() {
        let expression = r"(?s-u)\A(?:application/grpc(?:\+.*)?)\z";
        let dimension = Dimension::Header("content-type".into());
        let test = Test::Text(Text::new(Comparison::Regex, expression));
        all.push(Condition::of(dimension, test));
    }
    for header in matcher.headers() {
        match of_header(header)? {
            Asks::Nothing => {}
            Asks::Impossible => return Ok(None),
            Asks::For(condition) => all.push(condition),
        }
    }
    all.extend(matcher.query_parameters().iter().map(of_query));
    all.sort();
    all.dedup();
    Ok(matcher.holds_without_metadata().then_some(all))
}

/// The condition on the path, if it has one; `None`: it is for CONNECT.
fn path(matcher: &PathMatch) -> Option<Option<Text>> {
    let (comparison, operand, ignore_case) = match matcher {
        PathMatch::Regex(regex) => return Some(Some(Text::matching(regex))),
        PathMatch::Prefix { prefix, .. } if matches!(&**prefix, "" | "/") => return Some(None),
        PathMatch::Prefix { prefix, ignore_case } => (Comparison::Prefix, &**prefix, *ignore_case),
        PathMatch::Exact { path, ignore_case } => (Comparison::Exact, &**path, *ignore_case),
        PathMatch::SeparatedPrefix { prefix, ignore_case } => {
            (Comparison::SeparatedPrefix, &**prefix, *ignore_case)
        }
        PathMatch::Connect => return None,
    };
    Some(Some(Text { ignore_case, ..Text::new(comparison, operand) }))
}

enum Asks {
    Nothing,
    Impossible,
    For(Condition),
}

fn of_header(header: &HeaderMatch) -> Result<Asks, Unsupported> {
    let dimension = match header.source() {
        // The connection manager writes the scheme there.
        HeaderSource::Header(name) if name == "x-forwarded-proto" => Dimension::Scheme,
        HeaderSource::Header(name) => Dimension::Header(name.as_str().into()),
        HeaderSource::Method => Dimension::Method,
        HeaderSource::Authority => Dimension::Authority,
        HeaderSource::Scheme => Dimension::Scheme,
        // Path and query in one are not independent of path and parameters.
        HeaderSource::Path => return Err(Unsupported),
    };
    let always_there = !dimension.may_be_absent();
    Ok(match header.test() {
        HeaderTest::Present(wanted) => {
            let wanted = *wanted != header.is_inverted();
            match (always_there, wanted) {
                (true, true) => Asks::Nothing,
                (true, false) => Asks::Impossible,
                (false, wanted) => {
                    let condition = Condition::of(dimension, Test::Present);
                    Asks::For(Condition { inverted: !wanted, missing_fits: !wanted, ..condition })
                }
            }
        }
        HeaderTest::Text(text) => Asks::For(Condition {
            inverted: header.is_inverted(),
            missing_is_empty: header.missing_is_empty(),
            ..Condition::of(dimension, Test::Text(Text::of(text)))
        }),
        HeaderTest::Range { .. } => return Err(Unsupported),
    })
}

fn of_query(parameter: &QueryMatch) -> Condition {
    let dimension = Dimension::Query(parameter.name().into());
    match parameter.value() {
        Some(value) => Condition::of(dimension, Test::Text(Text::of(value))),
        None => {
            let inverted = !parameter.wants_presence();
            let condition = Condition::of(dimension, Test::Present);
            Condition { inverted, missing_fits: inverted, ..condition }
        }
    }
}

impl Condition {
    pub(crate) fn of(dimension: Dimension, test: Test) -> Self {
        Self { dimension, test, inverted: false, missing_is_empty: false, missing_fits: false }
    }

    /// The text that has to be compared equal, begin and so on, when that is all the condition says.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.test {
            Test::Text(text) if !self.inverted && !self.missing_is_empty => Some(text),
            _ => None,
        }
    }

    /// Whether a look at the texts shows that no request fulfils all of `own` and of `theirs`.
    pub(crate) fn exclude(own: &[Self], theirs: &[Self]) -> bool {
        own.iter().any(|a| {
            theirs.iter().any(|b| {
                a.dimension == b.dimension
                    && a.text().zip(b.text()).is_some_and(|(a, b)| a.excludes(b))
            })
        })
    }

    /// Whether `request` fulfils the condition, found out without automata.
    #[must_use]
    pub fn holds(&self, request: &Request) -> bool {
        let fits = |value: &str| match &self.test {
            Test::Present => true,
            Test::Text(text) => text.fits(value),
        };
        match request.value(&self.dimension) {
            Some(value) => fits(value) != self.inverted,
            None => self.missing_fits || self.missing_is_empty && fits("") != self.inverted,
        }
    }

    /// The condition or its opposite, in words.
    pub(crate) fn words(&self, holds: bool) -> String {
        Words { condition: self, holds }.to_string()
    }
}

struct Words<'a> {
    condition: &'a Condition,
    holds: bool,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Condition { dimension, test, inverted, .. } = self.condition;
        let holds = self.holds != *inverted;
        match test {
            Test::Present if holds => write!(f, "{dimension} present"),
            Test::Present => write!(f, "no {dimension}"),
            Test::Text(text) => {
                write!(f, "{dimension} ")?;
                write_comparison(f, text, holds)
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Words { condition: self, holds: true }.fmt(f)
    }
}
