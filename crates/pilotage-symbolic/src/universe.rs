//! What can be in a request at all, by the time its route is looked for.
//!
//! Conditions that only impossible requests would fulfil make no difference. What is possible follows from the
//! grammar of HTTP and from what the connection manager does first: with path normalization on, no path holds `/../`.

use pilotage_engine::http_manager::HttpManager;

use crate::algebra::{Algebra, Language};
use crate::budget::TooComplex;
use crate::condition::Dimension;
use crate::region::Values;
use crate::text::{Comparison, Text};

/// What the connection manager and the route configuration make of paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Universe {
    normalized: bool,
    merged_slashes: bool,
    without_parameters: bool,
}

/// Path: visible ASCII without what normalization encodes.
const NORMAL_PATH: &str = r#"(?s-u)\A/[!-~&&[^"<>\\^`{|}?\#]]*\z"#;
/// Path that was not normalized.
const ANY_PATH: &str = r"\A/[^\x00-\x20\x7f?\#]*\z";
const DOT_SEGMENT: &str = r"(?s-u)\A.*/\.\.?(?:/.*)?\z";
const DOUBLE_SLASH: &str = r"(?s-u)\A.*//.*\z";
const PARAMETER: &str = r"(?s-u)\A.*;.*\z";
/// Value of a query parameter.
const PARAMETER_VALUE: &str = r"\A[^\x00-\x20\x7f&\#]*\z";
/// Value of a header: no blanks around it. It may hold bytes that are no UTF-8, which no pattern of people means, so
/// that here it does not.
const HEADER_VALUE: &str =
    r"\A(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?\z";
const METHOD: &str = r"(?s-u)\A[!\#$%&'*+.^_`|~0-9A-Za-z-]+\z";
/// CONNECT has no path, and routes for it are of another kind.
const CONNECT: &str = r"\ACONNECT\z";
const SCHEME: &str = r"\Ahttps?\z";
const AUTHORITY: &str = r"(?s-u)\A[!-~&&[^/?\#@\\]]*\z";

impl Universe {
    /// The requests that `managers` let through to their routes.
    pub(crate) fn of(managers: [&HttpManager; 2], ignores_parameters: bool) -> Self {
        Self {
            normalized: managers.iter().all(|manager| manager.normalize_path),
            merged_slashes: managers.iter().all(|manager| manager.merge_slashes),
            without_parameters: ignores_parameters,
        }
    }

    /// All that `dimension` may be.
    pub(crate) fn all(
        self,
        dimension: &Dimension,
        algebra: &mut Algebra,
    ) -> Result<Values, TooComplex> {
        let present = match dimension {
            Dimension::Path => self.paths(algebra)?,
            // Such a name cannot be written in a query.
            Dimension::Query(name) if name.contains(['=', '&', '#', ' ']) => Language::NOTHING,
            Dimension::Query(_) => regex(PARAMETER_VALUE, algebra)?,
            Dimension::Header(_) => regex(HEADER_VALUE, algebra)?,
            Dimension::Method => without(regex(METHOD, algebra)?, CONNECT, algebra)?,
            Dimension::Scheme => regex(SCHEME, algebra)?,
            Dimension::Authority => regex(AUTHORITY, algebra)?,
        };
        Ok(Values { absent: dimension.may_be_absent(), present })
    }

    fn paths(self, algebra: &mut Algebra) -> Result<Language, TooComplex> {
        let mut paths = regex(if self.normalized { NORMAL_PATH } else { ANY_PATH }, algebra)?;
        for (gone, expression) in [
            (self.normalized, DOT_SEGMENT),
            (self.merged_slashes, DOUBLE_SLASH),
            (self.without_parameters, PARAMETER),
        ] {
            if gone {
                paths = without(paths, expression, algebra)?;
            }
        }
        Ok(paths)
    }
}

fn regex(expression: &str, algebra: &mut Algebra) -> Result<Language, TooComplex> {
    algebra.of(&Text::new(Comparison::Regex, expression))
}

fn without(
    language: Language,
    expression: &str,
    algebra: &mut Algebra,
) -> Result<Language, TooComplex> {
    let gone = regex(expression, algebra)?;
    algebra.without(language, gone)
}
