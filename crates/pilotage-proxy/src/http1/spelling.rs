//! The spelling of header names: how a message had them, and how one is written. What they are called inside of the
//! proxy is in lower case, so that all of this is only for those who ask for it: a head is written as always, and the
//! names in it are spelled anew, which makes none of them longer.

use std::rc::Rc;

use bytes::Bytes;
use memchr::memmem;
use pilotage_engine::header_names::{HeaderNames, Memory};

use super::scan::Scanner;

/// How the names of one message were spelled.
#[derive(Debug)]
pub(crate) struct Spelling {
    /// As they came, repeated ones too; the first counts.
    names: Vec<Bytes>,
    /// The phrase after the status, if there is one to pass on.
    reason: Bytes,
    /// Other names begin their words with capitals.
    proper_others: bool,
}

impl Spelling {
    /// That of the message whose head `scanner` has found to be `head`, with the phrase after its status, if it has one.
    pub(super) fn of(scanner: &Scanner, head: &Bytes, reason: &[u8], memory: Memory) -> Rc<Self> {
        let names = scanner.names(head).collect();
        let reason = if memory.reason_phrase { head.slice_ref(reason) } else { Bytes::new() };
        Rc::new(Self { names, reason, proper_others: memory.proper_others })
    }

    fn apply(&self, name: &mut [u8]) {
        match self.names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => name.copy_from_slice(known),
            None if self.proper_others => proper(name),
            None => {}
        }
    }
}

/// Spells the names in the head at `begin` of `buffer`: as `spelling` remembers them, or else as `names` says.
#[inline]
pub(super) fn apply(
    names: HeaderNames,
    spelling: Option<&Spelling>,
    buffer: &mut Vec<u8>,
    begin: usize,
) {
    match (spelling, names) {
        (None, HeaderNames::Lower | HeaderNames::Remembered(_)) => {}
        (None, HeaderNames::Proper) => each_name(buffer.get_mut(begin..), proper),
        (Some(spelling), _) => {
            say(&spelling.reason, buffer, begin);
            each_name(buffer.get_mut(begin..), |name| spelling.apply(name));
        }
    }
}

/// Calls `spell` for each name of a head, which begins with a line that has none.
#[cold]
fn each_name(head: Option<&mut [u8]>, mut spell: impl FnMut(&mut [u8])) {
    let lines = head.unwrap_or_default().split_mut(|byte| *byte == b'\n');
    for line in lines.skip(1) {
        let Some(end) = line.iter().position(|byte| *byte == b':') else { continue };
        if let Some(name) = line.get_mut(..end) {
            spell(name);
        }
    }
}

/// Puts `reason` after the status, in the place of the usual phrase.
fn say(reason: &[u8], buffer: &mut Vec<u8>, begin: usize) {
    let at = begin + b"HTTP/1.1 200 ".len();
    let line = buffer.get(at..).and_then(|rest| memmem::find(rest, b"\r\n"));
    if let (false, Some(length)) = (reason.is_empty(), line) {
        buffer.splice(at..at + length, reason.iter().copied());
    }
}

/// Begins each word with a capital.
fn proper(name: &mut [u8]) {
    let mut begins = true;
    for byte in name {
        if begins {
            byte.make_ascii_uppercase();
        }
        begins = !byte.is_ascii_alphanumeric();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pilotage_engine::header_names::{HeaderNames, Memory};

    use super::super::scan::{Limits, Scanner};
    use super::{Spelling, apply};

    const HEAD: &str = "HTTP/1.1 200 OK\r\nhost: x:Y\r\nx-one: a\r\nx-new_2b: b\r\n\r\n";

    fn spelled(names: HeaderNames, spelling: Option<&Spelling>) -> String {
        let mut buffer = format!("before: a\r\n\r\n{HEAD}").into_bytes();
        apply(names, spelling, &mut buffer, 13);
        let text = String::from_utf8(buffer).unwrap();
        text.strip_prefix("before: a\r\n\r\n").unwrap().to_owned()
    }

    fn spelling(memory: Memory) -> std::rc::Rc<Spelling> {
        let text = "HTTP/1.1 200 All is well\r\nHOST: x\r\nX-ONE: 1\r\nx-One: 2\r\n\r\n";
        let mut scanner = Scanner::default();
        scanner.scan(text.as_bytes(), Limits::default()).unwrap().unwrap();
        let head = Bytes::from_static(text.as_bytes());
        let reason = head.slice("HTTP/1.1 200 ".len().."HTTP/1.1 200 All is well".len());
        Spelling::of(&scanner, &head, &reason, memory)
    }

    #[test]
    fn names_are_spelled_as_somebody_wants_them() {
        assert_eq!(spelled(HeaderNames::Lower, None), HEAD);
        assert_eq!(spelled(HeaderNames::Remembered(Memory::default()), None), HEAD);
        let proper = "HTTP/1.1 200 OK\r\nHost: x:Y\r\nX-One: a\r\nX-New_2b: b\r\n\r\n";
        assert_eq!(spelled(HeaderNames::Proper, None), proper);
    }

    #[test]
    fn what_is_remembered_counts_more() {
        let remembered = "HTTP/1.1 200 OK\r\nHOST: x:Y\r\nX-ONE: a\r\nx-new_2b: b\r\n\r\n";
        let plain = spelling(Memory::default());
        assert_eq!(spelled(HeaderNames::Proper, Some(&plain)), remembered);
        let others = spelling(Memory { proper_others: true, reason_phrase: true });
        let expected = "HTTP/1.1 200 All is well\r\nHOST: x:Y\r\nX-ONE: a\r\nX-New_2b: b\r\n\r\n";
        assert_eq!(spelled(HeaderNames::Lower, Some(&others)), expected);
    }
}
