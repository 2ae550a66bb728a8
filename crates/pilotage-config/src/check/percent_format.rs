//! Values of header operations: text in which `%…%` are command operators.

/// Why a header value cannot be used.
pub(super) fn header_value(value: &str) -> Result<(), &'static str> {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err("it has a control character");
    }
    operators(value)
}

/// Every `%` opens an operator (`%NAME%`, `%NAME(arguments)%`, either with `:length` before the end) or is doubled.
fn operators(value: &str) -> Result<(), &'static str> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('%') {
        rest = match after.strip_prefix('%') {
            Some(literal) => literal,
            None => operator(after)?,
        };
    }
    Ok(())
}

/// What follows an operator that begins at `text`, its first `%` left off.
fn operator(text: &str) -> Result<&str, &'static str> {
    const UNESCAPED: &str = "a `%` that is meant as such has to be written `%%`";
    const OPEN: &str = "an operator is not closed with `%`";
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after_name = text.trim_start_matches(is_name);
    if after_name.len() == text.len() {
        return Err(if text.is_empty() { OPEN } else { UNESCAPED });
    }
    let mut rest = after_name;
    if let Some(arguments) = rest.strip_prefix('(') {
        rest = arguments.split_once(')').ok_or(OPEN)?.1;
    }
    if let Some(length) = rest.strip_prefix(':') {
        rest = length.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    match rest.strip_prefix('%') {
        Some(rest) => Ok(rest),
        None if rest.is_empty() => Err(OPEN),
        None => Err(UNESCAPED),
    }
}

#[cfg(test)]
mod tests {
    use super::header_value;

    #[test]
    fn operators_are_closed_and_percent_signs_doubled() {
        for good in ["", "a", "100%%", "%REQ(x-y)%", "%START_TIME%-%HOSTNAME%", "%REQ(a?b):10%"] {
            assert_eq!(header_value(good), Ok(()), "{good}");
        }
        for bad in ["100%", "%a b%", "%REQ(x", "%REQ(x)", "a\nb", "% %", "%HOST"] {
            assert!(header_value(bad).is_err(), "{bad}");
        }
    }
}
