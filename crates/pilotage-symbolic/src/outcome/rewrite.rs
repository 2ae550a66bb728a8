//! Rewrites of paths. What a prefix becomes depends on the prefix: `/a/b` is another path under `/` than under `/a`.

use pilotage_engine::route_match::{PathMatch, RouteMatch};

/// A path rewrite that replaces what the match took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite {
    /// What comes instead.
    pub(crate) replacement: String,
    /// What was taken.
    pub(crate) taken: Taken,
}

/// What a match takes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its beginning. The text is known where letter case counts.
    Beginning { length: usize, text: Option<String> },
    /// All of it.
    Whole(Option<String>),
}

/// How two rewrites compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The same for all requests that both can be for.
    Always,
    /// The same for this path only.
    OnlyFor(String),
    /// Perhaps never.
    Unknown,
}

impl Rewrite {
    pub(crate) fn of(replacement: &str, matcher: &RouteMatch) -> Self {
        let known = |text: &str, ignore_case: bool| (!ignore_case).then(|| text.to_owned());
        let taken = match matcher.path() {
            PathMatch::Prefix { prefix, ignore_case }
            | PathMatch::SeparatedPrefix { prefix, ignore_case } => {
                Taken::Beginning { length: prefix.len(), text: known(prefix, *ignore_case) }
            }
            PathMatch::Exact { path, ignore_case } => Taken::Whole(known(path, *ignore_case)),
            PathMatch::Regex(_) | PathMatch::Connect => Taken::Whole(None),
        };
        Self { replacement: replacement.to_owned(), taken }
    }

    /// What becomes of `path`, which was matched.
    pub(crate) fn apply(&self, path: &str) -> String {
        let rest = match &self.taken {
            Taken::Beginning { length, .. } => path.get(*length..).unwrap_or_default(),
            Taken::Whole(_) => "",
        };
        format!("{}{rest}", self.replacement)
    }

    /// For which paths that both take `self` and `other` give the same.
    pub(crate) fn agrees(&self, other: &Self) -> Agreement {
        use Taken::{Beginning, Whole};
        let same = self.replacement == other.replacement;
        let certain = |alike: bool| if alike { Agreement::Always } else { Agreement::Unknown };
        match (&self.taken, &other.taken) {
            (Whole(_), Whole(_)) => certain(same),
            (Beginning { length: a, .. }, Beginning { length: b, .. }) if a == b => certain(same),
            (Beginning { length: a, .. }, Beginning { length: b, text }) if a < b => {
                certain(continued(&self.replacement, text.as_deref(), *a, &other.replacement))
            }
            (Beginning { .. }, Beginning { .. }) => other.agrees(self),
            (Beginning { length, .. }, Whole(Some(path))) => {
                certain(continued(&self.replacement, Some(path), *length, &other.replacement))
            }
            (Beginning { text: Some(prefix), .. }, Whole(None)) if same => {
                Agreement::OnlyFor(prefix.clone())
            }
            (Beginning { .. }, Whole(None)) => Agreement::Unknown,
            (Whole(_), Beginning { .. }) => other.agrees(self),
        }
    }
}

/// Whether `replacement` and what follows the first `taken` bytes of `text` is `whole`.
fn continued(replacement: &str, text: Option<&str>, taken: usize, whole: &str) -> bool {
    let rest = text.and_then(|text| text.get(taken..));
    rest.is_some_and(|rest| whole.strip_prefix(replacement) == Some(rest))
}

#[cfg(test)]
mod tests {
    use super::{Agreement, Rewrite, Taken};

    #[test]
    fn what_is_taken_decides_what_is_left() {
        let prefix = |text: &str, to: &str| Rewrite {
            replacement: to.into(),
            taken: Taken::Beginning { length: text.len(), text: Some(text.into()) },
        };
        let exact = |text: &str, to: &str| Rewrite {
            replacement: to.into(),
            taken: Taken::Whole(Some(text.into())),
        };
        let regex = |to: &str| Rewrite { replacement: to.into(), taken: Taken::Whole(None) };
        for (a, b, expected) in [
            (prefix("/a", "/x"), prefix("/a", "/x"), Agreement::Always),
            (prefix("/a", "/x"), prefix("/a", "/y"), Agreement::Unknown),
            (prefix("/a", "/x"), prefix("/a/b", "/x/b"), Agreement::Always),
            (prefix("/a", "/x"), prefix("/a/b", "/x"), Agreement::Unknown),
            (prefix("/a", "/x"), exact("/a/b", "/x/b"), Agreement::Always),
            (prefix("/a", "/x"), regex("/x"), Agreement::OnlyFor("/a".into())),
            (exact("/a", "/x"), regex("/x"), Agreement::Always),
        ] {
            assert_eq!(a.agrees(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.agrees(&a), expected, "{b:?} {a:?}");
        }
    }
}
