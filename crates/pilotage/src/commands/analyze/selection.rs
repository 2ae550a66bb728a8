//! Which problems to tell.

use std::str::FromStr;

use pilotage_config::{Code, Diagnostic, ObjectRef, codes};

/// What narrows the answer.
pub(super) struct Selection<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) suppressions: &'a [Suppression],
    pub(super) ignore_unknown: bool,
}

impl Selection<'_> {
    /// Takes out what is not asked for. Objects without a namespace belong to all of them.
    pub(super) fn apply(&self, problems: &mut Vec<Diagnostic>) {
        problems.retain(|problem| {
            let here = match (self.namespace, &problem.object) {
                (Some(wanted), Some(object)) => {
                    object.namespace.is_empty() || &*object.namespace == wanted
                }
                _ => true,
            };
            let is_unknown = is_unread(problem) || problem.code == codes::PIL0005;
            here && !(self.ignore_unknown && is_unknown)
                && !self.suppressions.iter().any(|suppression| suppression.covers(problem))
        });
    }
}

/// Whether a problem is about a text that could not be read as objects at all.
pub(super) fn is_unread(problem: &Diagnostic) -> bool {
    problem.object.is_none() && problem.is_error() && problem.code.id().starts_with("PIL00")
}

/// A code that is not to be reported for some objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suppression {
    code: String,
    objects: String,
}

impl FromStr for Suppression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((code, objects)) if !objects.contains('=') => {
                Ok(Self { code: code.to_owned(), objects: objects.to_owned() })
            }
            _ => Err("write CODE=OBJECT, for instance 'IST0101=VirtualService reviews.default'"
                .to_owned()),
        }
    }
}

impl Suppression {
    /// The code as given.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Whether there is such a code.
    pub(super) fn is_known(&self) -> bool {
        Code::find(&self.code).is_some()
    }

    fn covers(&self, problem: &Diagnostic) -> bool {
        let Some(object) = &problem.object else { return false };
        problem.code.id().eq_ignore_ascii_case(&self.code)
            && spellings(object).iter().any(|name| fits(&self.objects, name))
    }
}

/// How people write an object: as in messages (`Kind namespace/name`), and in istioctl's older way (`Kind
/// name.namespace`).
fn spellings(object: &ObjectRef) -> [String; 2] {
    let ObjectRef { kind, namespace, name } = object;
    let dotted = if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {name}.{namespace}")
    };
    [object.to_string(), dotted]
}

/// Whether `text` is `pattern`, whose `*` stand for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        assert!(fits("VirtualService *.shop", "VirtualService reviews.shop"));
        assert!(fits("*", "Pod a/b") && fits("*a*b*", "xaybz") && fits("a*", "a"));
        assert!(!fits("a*b", "ab c") && !fits("*ab*ab", "ab") && !fits("a", "ab"));
    }

    #[test]
    fn both_spellings_of_an_object_count() {
        let object =
            ObjectRef { kind: "Pod".into(), namespace: "shop".into(), name: "cart".into() };
        let problem = Diagnostic::new(pilotage_config::codes::IST0102, "").about(object);
        for text in ["IST0102=Pod shop/cart", "ist0102=Pod cart.shop", "IST0102=Pod *.shop"] {
            assert!(text.parse::<Suppression>().unwrap().covers(&problem), "{text}");
        }
        assert!(!"IST0103=Pod *".parse::<Suppression>().unwrap().covers(&problem));
        assert!("IST0102".parse::<Suppression>().is_err());
        assert!("IST0102=a=b".parse::<Suppression>().is_err());
    }
}
