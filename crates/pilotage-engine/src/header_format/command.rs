//! The form of command operators, in headers and access logs alike: `text %NAME(argument):length% text`.

use std::net::SocketAddr;

use super::append;

/// A piece of a text with operators in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'t> {
    /// Text; `%%` is a percent sign.
    Text(String),
    /// An operator.
    Command(Command<'t>),
}

/// An operator as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'t> {
    /// Its name.
    pub name: &'t str,
    /// What stands in parentheses after the name.
    pub argument: Option<&'t str>,
    /// So many bytes of the value at most.
    pub max_length: Option<usize>,
}

/// The pieces of `text`.
///
/// # Errors
/// The place of a `%` that begins no operator, in bytes.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, usize> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        let (command, after) = Command::read(after).ok_or(text.len() - after.len() - 1)?;
        if !literal.is_empty() {
            tokens.push(Token::Text(std::mem::take(&mut literal)));
        }
        tokens.push(Token::Command(command));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        tokens.push(Token::Text(literal));
    }
    Ok(tokens)
}

impl<'t> Command<'t> {
    /// Reads what stands after the opening sign; also returns what follows the closing one.
    fn read(text: &'t str) -> Option<(Self, &'t str)> {
        let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let (name, rest) = text.split_at(text.find(|c| !word(c))?);
        if name.is_empty() {
            return None;
        }
        let (argument, rest) = match rest.strip_prefix('(') {
            Some(inner) => inner.split_once(')').map(|(argument, rest)| (Some(argument), rest))?,
            None => (None, rest),
        };
        let (max_length, rest) = match rest.strip_prefix(':') {
            Some(length) => {
                let (length, rest) = length.split_once('%')?;
                (Some(length.parse().ok()?), rest)
            }
            None => (None, rest.strip_prefix('%')?),
        };
        Some((Self { name, argument, max_length }, rest))
    }
}

/// Which part of an address an operator prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPart {
    /// `10.0.0.1:80`
    Both,
    /// `10.0.0.1`
    Ip,
    /// `80`
    Port,
}

impl AddressPart {
    /// What the operator called `name` prints: of which end of which connection (`UPSTREAM_REMOTE`), and which part.
    /// `None`: it does not print an address.
    pub fn of(name: &str) -> Option<(&str, Self)> {
        if name == "UPSTREAM_HOST" {
            return Some(("UPSTREAM_REMOTE", Self::Both));
        }
        let part = |suffix, part| name.strip_suffix(suffix).map(|end| (end, part));
        part("_ADDRESS_WITHOUT_PORT", Self::Ip)
            .or_else(|| part("_ADDRESS", Self::Both))
            .or_else(|| part("_PORT", Self::Port))
    }

    /// Appends this part of `address`.
    pub fn write(self, address: SocketAddr, out: &mut Vec<u8>) {
        match self {
            Self::Both => append(out, address),
            Self::Ip => append(out, address.ip()),
            Self::Port => append(out, address.port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Token, tokens};

    #[test]
    fn texts_and_operators_take_turns() {
        let command =
            |name, argument, max_length| Token::Command(Command { name, argument, max_length });
        let expected = [
            Token::Text("100% ".to_owned()),
            command("A_1", Some("x?y"), Some(3)),
            command("B", None, None),
            Token::Text("!".to_owned()),
        ];
        assert_eq!(tokens("100%% %A_1(x?y):3%%B%!").unwrap(), expected);
        assert_eq!(tokens(""), Ok(Vec::new()));
    }

    #[test]
    fn a_sign_without_its_partner_is_named_by_its_place() {
        for (text, place) in
            [("a%B", 1), ("%", 0), ("50% off", 2), ("%A(b%", 0), ("%A:%", 0), ("%A%%a%", 3)]
        {
            assert_eq!(tokens(text), Err(place), "{text}");
        }
    }
}
