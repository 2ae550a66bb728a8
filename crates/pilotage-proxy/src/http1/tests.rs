//! Properties of the codec without sockets: how bytes are cut into reads must not matter.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Frame;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::MessageError;
use super::decoder::{Decoder, Piece};
use super::encoder::Encoder;
use super::framing::Framing;
use super::output::Output;
use super::scan::{Limits, Scanner};

/// A body: its data, its trailers, and what is left behind it.
type Decoded = (Vec<u8>, Option<HeaderMap>, Vec<u8>);

/// What `body` holds when it arrives in pieces of these sizes.
fn decode(framing: Framing, body: &[u8], cuts: &[usize]) -> Result<Decoded, MessageError> {
    let mut decoder = Decoder::new(framing);
    let (mut data, mut trailers) = (Vec::new(), None);
    let mut input = BytesMut::new();
    let mut rest = body;
    let mut sizes = cuts.iter().copied().cycle();
    loop {
        match decoder.decode(&mut input)? {
            Piece::Data(piece) => {
                assert!(!piece.is_empty());
                data.extend_from_slice(&piece);
            }
            Piece::Trailers(found) => trailers = Some(found),
            Piece::End => return Ok((data, trailers, [&input, rest].concat())),
            Piece::More => {
                assert!(!rest.is_empty(), "the body does not end");
                let (piece, left) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                input.extend_from_slice(piece);
                rest = left;
            }
        }
    }
}

fn bytes_of(output: &Output) -> Vec<u8> {
    output.parts().iter().flat_map(|part| part.iter().copied()).collect()
}

proptest! {
    #[test]
    fn chunks_are_read_as_they_were_written(
        parts in vec(vec(any::<u8>(), 0..300), 0..8),
        cuts in vec(1_usize..40, 1..6),
    ) {
        let mut output = Output::default();
        let mut encoder = Encoder::new(Framing::Chunked);
        for part in &parts {
            encoder.frame(Frame::data(Bytes::copy_from_slice(part)), &mut output).unwrap();
        }
        encoder.end(&mut output).unwrap();
        output.buffer().extend_from_slice(b"GET");
        let (data, trailers, rest) = decode(Framing::Chunked, &bytes_of(&output), &cuts).unwrap();
        assert_eq!(data, parts.concat());
        assert_eq!((trailers, rest.as_slice()), (None, &b"GET"[..]));
    }

    #[test]
    fn a_length_takes_that_much_and_no_more(
        body in vec(any::<u8>(), 1..300), behind in 0_usize..20, cuts in vec(1_usize..40, 1..6),
    ) {
        let all = [body.as_slice(), &vec![b'x'; behind]].concat();
        let (data, _, rest) = decode(Framing::Length(body.len() as u64), &all, &cuts).unwrap();
        assert_eq!((data, rest.len()), (body, behind));
    }

    #[test]
    fn cuts_do_not_change_what_is_refused(
        body in vec(prop_oneof![
            Just("5\r\nhello\r\n"), Just("0\r\n\r\n"), Just("1;a=b\r\nx\r\n"), Just("2\r\nabc\r\n"),
            Just("g\r\n"), Just("\r\n"), Just("3\nabc\r\n"), Just("0\r\nx: y\r\n\r\n"), Just("-1\r\n"),
        ], 1..4).prop_map(|parts| parts.concat() + "0\r\n\r\n"),
        cuts in vec(1_usize..10, 1..6),
    ) {
        let whole = decode(Framing::Chunked, body.as_bytes(), &[body.len()]);
        assert_eq!(decode(Framing::Chunked, body.as_bytes(), &cuts), whole);
    }

    #[test]
    fn heads_are_found_however_they_are_cut(
        lines in vec("[a-z]{1,9}: [a-z ]{0,20}", 0..9), cuts in vec(1_usize..9, 1..6),
    ) {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", lines.iter().map(|l| format!("{l}\r\n")).collect::<String>());
        let mut scanner = Scanner::default();
        let (mut seen, mut sizes) = (0, cuts.iter().copied().cycle());
        let end = loop {
            let part = head.as_bytes().get(..seen).unwrap();
            if let Some(end) = scanner.scan(part, Limits::default()).unwrap() {
                break end;
            }
            assert!(seen < head.len());
            seen = (seen + sizes.next().unwrap()).min(head.len());
        };
        assert_eq!(end, head.len());
        let fields: Vec<String> = scanner
            .fields(&Bytes::from(head.into_bytes()))
            .map(|field| field.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).unwrap())
            .collect();
        let trimmed: Vec<String> = lines.iter().map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| format!("{name}: {}", value.trim())).collect();
        assert_eq!(fields, trimmed);
    }
}

#[test]
fn what_is_no_chunk() {
    for body in [
        "",
        "x\r\n",
        "\r\n",
        "1\nx\r\n",
        "1 x\r\na\r\n",
        "1\r\nab",
        "11111111111111111\r\n",
        "+1\r\na\r\n",
    ] {
        let padded = format!("{body}0\r\n\r\n");
        let result = decode(Framing::Chunked, padded.as_bytes(), &[7]);
        assert!(body.is_empty() || result == Err(MessageError::Malformed), "{body:?}: {result:?}");
    }
    let endless = decode(Framing::Chunked, &[b'1'; 5000], &[100]);
    assert_eq!(endless, Err(MessageError::TooLarge));
}

#[test]
fn trailers() {
    let (data, trailers, _) =
        decode(Framing::Chunked, b"1\r\nx\r\n0\r\nA: b\r\n\r\n", &[3]).unwrap();
    assert_eq!(data, b"x");
    assert_eq!(trailers.unwrap().get("a").unwrap(), "b");
}

#[test]
fn a_body_must_be_as_long_as_it_was_said() {
    let mut output = Output::default();
    let mut encoder = Encoder::new(Framing::Length(3));
    assert!(encoder.end(&mut output).is_err());
    assert!(encoder.frame(Frame::data(Bytes::from_static(b"four")), &mut output).is_err());
    assert!(output.is_empty());
}

mod heads {
    //! Heads as they are written.

    use http::uri::{PathAndQuery, Scheme};
    use http::{HeaderName, HeaderValue, StatusCode, Version};
    use pilotage_engine::header_names::HeaderNames;
    use pilotage_engine::headers::Headers;

    use super::super::encoder::{self, Asker};
    use super::super::output::Output;
    use super::{Method, bytes_of};
    use crate::http::{AnswerHead, Outgoing};

    fn map(fields: &[(&'static str, &'static str)]) -> Headers {
        fields
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn request(method: Method, fields: &[(&'static str, &'static str)], has_body: bool) -> String {
        let mut output = Output::default();
        let head = Outgoing {
            method,
            scheme: Scheme::HTTP,
            authority: HeaderValue::from_static("a"),
            path: PathAndQuery::from_static("/b?c"),
            headers: map(fields),
            interim: None,
            spelling: None,
        };
        encoder::request(&head, has_body, HeaderNames::Lower, &mut output);
        String::from_utf8(bytes_of(&output)).unwrap()
    }

    #[test]
    fn requests() {
        let line = "GET /b?c HTTP/1.1\r\nhost: a\r\n";
        assert_eq!(request(Method::GET, &[("x", "y")], false), format!("{line}x: y\r\n\r\n"));
        let post = "POST /b?c HTTP/1.1\r\nhost: a\r\n";
        let length = format!("{post}content-length: 3\r\n\r\n");
        assert_eq!(request(Method::POST, &[("content-length", "3")], true), length);
        let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
        assert_eq!(request(Method::POST, &[], true), chunked);
        assert_eq!(request(Method::POST, &[], false), format!("{post}content-length: 0\r\n\r\n"));
    }

    fn response(status: u16, fields: &[(&'static str, &'static str)], asker: Asker) -> String {
        let mut output = Output::default();
        let status = StatusCode::from_u16(status).unwrap();
        let head = AnswerHead { status, headers: map(fields), spelling: None };
        encoder::response(&head, true, asker, &mut output);
        String::from_utf8(bytes_of(&output)).unwrap()
    }

    #[test]
    fn responses() {
        let asker = Asker {
            head_only: false,
            version: Version::HTTP_11,
            persistent: true,
            trailers: false,
            names: HeaderNames::Lower,
        };
        let ok = "HTTP/1.1 200 OK\r\n";
        assert_eq!(response(200, &[], asker), format!("{ok}transfer-encoding: chunked\r\n\r\n"));
        let length = [("content-length", "3")];
        assert_eq!(response(200, &length, asker), format!("{ok}content-length: 3\r\n\r\n"));
        assert_eq!(response(204, &length, asker), "HTTP/1.1 204 No Content\r\n\r\n");
        let last = Asker { persistent: false, ..asker };
        let closing = format!("{ok}content-length: 3\r\nconnection: close\r\n\r\n");
        assert_eq!(response(200, &length, last), closing);
        let old = Asker { version: Version::HTTP_10, ..asker };
        assert_eq!(response(200, &[], old), "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n");
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        assert_eq!(
            response(101, &upgrade, asker),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        );
    }
}
