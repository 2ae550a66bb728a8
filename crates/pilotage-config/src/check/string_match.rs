//! Rules of comparisons with texts.

use super::checker::Checker;
use crate::field_path::FieldPath;
use crate::virtual_service::StringMatch;

/// Longest regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1024;
/// A comparison that says something: no empty prefix, a regular expression that compiles.
pub(super) fn check(value: &StringMatch, at: &FieldPath, checker: &mut Checker<'_>) {
    match value {
        StringMatch::Prefix(prefix) if prefix.is_empty() => {
            checker.error(at, format!("the prefix of `{at}` is empty"), "every value has it");
        }
        StringMatch::Regex(pattern) => regex(pattern, at, checker),
        StringMatch::Unset | StringMatch::Exact(_) | StringMatch::Prefix(_) => {}
    }
}

/// A regular expression in RE2's syntax.
pub(super) fn regex(pattern: &str, at: &FieldPath, checker: &mut Checker<'_>) {
    if pattern.is_empty() {
        checker.error(at, format!("the regular expression of `{at}` is empty"), "matches nothing");
    } else if pattern.len() > REGEX_BYTES_MAX {
        let message =
            format!("the regular expression of `{at}` has more than {REGEX_BYTES_MAX} bytes");
        checker.error(at, message, "too long");
    } else if let Err(error) = compiles(pattern) {
        let text = error.to_string();
        // The last line says what is wrong; those before draw the pattern once more.
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        checker.error(
            at,
            format!("`{pattern}` is not a regular expression: {reason}"),
            "cannot be used",
        );
        if pattern == "*" {
            checker.help("write `.*` for any text, or an empty match (`{}`) to test for presence");
        }
    }
}

/// Whether `pattern` can be compiled. To read it is enough, and takes a fraction of the time, unless it may turn out too
/// large: counted repetitions and classes of Unicode are large for their length. Without flags a look at its form is.
fn compiles(pattern: &str) -> Result<(), regex::Error> {
    let large = ["{", r"\p", r"\P", r"\w", r"\W"].iter().any(|part| pattern.contains(part));
    let is_read = match pattern.contains("(?") {
        true => regex_syntax::parse(pattern).is_ok(),
        false => regex_syntax::ast::parse::Parser::new().parse(pattern).is_ok(),
    };
    if !large && is_read {
        return Ok(());
    }
    regex::Regex::new(pattern).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{REGEX_BYTES_MAX, compiles};

    #[test]
    fn what_is_only_read_would_compile() {
        for unit in ["a", ".", r"\d", r"\D", r"\s", r"\S", "[^a]", "(a|.)", "[à-ÿ]?", "k*"] {
            let pattern = format!("(?i){}", unit.repeat((REGEX_BYTES_MAX - 4) / unit.len()));
            assert!(compiles(&pattern).is_ok(), "{unit}");
            assert!(regex::Regex::new(&pattern).is_ok(), "{unit}");
        }
        assert!(compiles("a{1000}{1000}{1000}").is_err());
        assert!(compiles("(").is_err());
    }
}
