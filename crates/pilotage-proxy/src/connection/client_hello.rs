//! The client hello of TLS: server name and offered protocols, read without taking part in the handshake.

use super::inspect::Look;

/// Content type of handshake records.
const HANDSHAKE: u8 = 22;
/// Type of the client hello among handshake messages.
const CLIENT_HELLO: u8 = 1;
/// Length of a record's and of a handshake message's head.
const RECORD_HEAD: usize = 5;
const MESSAGE_HEAD: usize = 4;
/// Longest record with plaintext.
const MAX_RECORD: usize = 16 * 1024;
/// Longest client hello that is looked at, as in Envoy.
const MAX_HELLO: usize = 16 * 1024;
/// Numbers of the extensions that matter here.
const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOLS: u16 = 16;

/// What a client hello asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// In lower case.
    pub(super) server_name: Option<Box<str>>,
    /// In the order of the client.
    pub(super) protocols: Vec<Box<str>>,
}

/// Reads the client hello that a connection begins with.
pub(super) fn look(bytes: &[u8]) -> Look<ClientHello> {
    let message = match first_message(bytes) {
        Look::Found(message) => message,
        Look::Incomplete => return Look::Incomplete,
        Look::Other => return Look::Other,
        Look::Refused => return Look::Refused,
    };
    parse(&message).map_or(Look::Other, Look::Found)
}

/// The body of the first handshake message, which may be spread over several records.
fn first_message(bytes: &[u8]) -> Look<Vec<u8>> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [] => return Look::Incomplete,
            [HANDSHAKE] | [HANDSHAKE, 3] => return Look::Incomplete,
            [HANDSHAKE, 3, ..] => {}
            _ => return Look::Other,
        }
        let Some((head, after)) = rest.split_at_checked(RECORD_HEAD) else {
            return Look::Incomplete;
        };
        let length = head.get(3..).map_or(0, number);
        if length == 0 || length > MAX_RECORD {
            return Look::Other;
        }
        let part = after.get(..length.min(after.len())).unwrap_or_default();
        message.extend_from_slice(part);
        if let Some((head, body)) = message.split_at_checked(MESSAGE_HEAD) {
            let wanted = head.get(1..).map_or(0, number);
            if head.first() != Some(&CLIENT_HELLO) {
                return Look::Other;
            }
            if wanted > MAX_HELLO {
                return Look::Refused;
            }
            if let Some(body) = body.get(..wanted) {
                return Look::Found(body.to_vec());
            }
        }
        rest = after.get(length..).unwrap_or_default();
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn parse(body: &[u8]) -> Option<ClientHello> {
    let mut fields = Fields(body);
    fields.take(2 + 32)?; // Version and random.
    fields.vector(1)?; // Session.
    fields.vector(2)?; // Cipher suites.
    fields.vector(1)?; // Compression.
    let mut hello = ClientHello::default();
    if fields.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Fields(fields.vector(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let data = extensions.vector(2)?;
        match u16::try_from(kind).ok()? {
            SERVER_NAME => hello.server_name = server_name(data)?,
            APPLICATION_PROTOCOLS => hello.protocols = protocols(data)?,
            _ => {}
        }
    }
    Some(hello)
}

/// The first host name of the list. The outer `None` is a broken list.
fn server_name(data: &[u8]) -> Option<Option<Box<str>>> {
    let mut names = Fields(Fields(data).vector(2)?);
    while !names.0.is_empty() {
        let kind = names.number(1)?;
        let name = names.vector(2)?;
        if kind == 0 {
            let name = std::str::from_utf8(name).ok()?;
            return Some(Some(name.to_ascii_lowercase().into()));
        }
    }
    Some(None)
}

fn protocols(data: &[u8]) -> Option<Vec<Box<str>>> {
    let mut list = Fields(Fields(data).vector(2)?);
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        protocols.push(String::from_utf8_lossy(list.vector(1)?).into());
    }
    Some(protocols)
}

/// Fields of a message, taken one after the other. `None` means that the message ends too early.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        self.take(bytes).map(number)
    }

    /// A field with its length, of that many bytes, before it.
    fn vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::inspect::Look;
    use super::{ClientHello, look};

    /// A client hello in records of at most `record` bytes.
    pub(crate) fn hello(name: Option<&str>, protocols: &[&str], record: usize) -> Vec<u8> {
        let sized = |width: usize, data: &[u8]| {
            let length = data.len().to_be_bytes();
            [&length[length.len() - width..], data].concat()
        };
        let mut extensions = Vec::new();
        if let Some(name) = name {
            let entry = [&[0], &sized(2, name.as_bytes())[..]].concat();
            extensions.extend([&[0, 0], &sized(2, &sized(2, &entry))[..]].concat());
        }
        if !protocols.is_empty() {
            let list: Vec<u8> = protocols.iter().flat_map(|p| sized(1, p.as_bytes())).collect();
            extensions.extend([&[0, 16], &sized(2, &sized(2, &list))[..]].concat());
        }
        let body = [&[3, 3], &[7; 32][..], &[0], &sized(2, &[0x13, 1])[..], &[1, 0]].concat();
        let body = [body, sized(2, &extensions)].concat();
        let message = [&[1], &sized(3, &body)[..]].concat();
        let records = message.chunks(record);
        records.flat_map(|part| [&[22, 3, 1], &sized(2, part)[..]].concat()).collect()
    }

    #[test]
    fn names_and_protocols_are_read_wherever_records_end() {
        let expected = ClientHello {
            server_name: Some("a.test".into()),
            protocols: vec!["h2".into(), "http/1.1".into()],
        };
        for record in [1, 7, 50, 16_000] {
            let bytes = hello(Some("A.test"), &["h2", "http/1.1"], record);
            for end in 0..bytes.len() {
                assert_eq!(look(&bytes[..end]), Look::Incomplete, "{end} of {}", bytes.len());
            }
            assert_eq!(look(&bytes), Look::Found(expected.clone()));
            assert_eq!(look(&[&bytes[..], b"more"].concat()), Look::Found(expected.clone()));
        }
        assert_eq!(look(&hello(None, &[], 99)), Look::Found(ClientHello::default()));
    }

    #[test]
    fn other_bytes_are_something_else() {
        assert_eq!(look(b"GET /"), Look::Other);
        assert_eq!(look(&[22, 9]), Look::Other);
        assert_eq!(look(&[22, 3, 1, 0, 4, 2, 0, 0, 0]), Look::Other);
        let mut cut = hello(Some("a.test"), &[], 99);
        let last = cut.len() - 1;
        cut[last - 6] = 200; // The length of the name leads past the end.
        assert_eq!(look(&cut), Look::Other);
        assert_eq!(look(&[22, 3, 1, 0, 4, 1, 0, 0x41, 0]), Look::Refused);
    }
}
