//! Paths: what of them is compared, and how they are normalized.

use std::borrow::Cow;

/// The path without query and fragment.
pub(crate) fn without_query(path: &str) -> &str {
    path.find(['?', '#']).and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The query without its question mark; empty when there is none.
pub(crate) fn query(path: &str) -> &str {
    path.split_once('?').map_or("", |(_, query)| query)
}

/// The first raw value of query parameter `name`: nothing is decoded. A parameter without `=` has the empty value.
pub(crate) fn query_parameter<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    query(path).split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name && !pair.is_empty()).then_some(value)
    })
}

/// What follows path parameters (`;…`) of any segment is left out: `/a;x=1/b` becomes `/a/b`.
pub(crate) fn without_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    let segments: Vec<&str> =
        path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    Cow::Owned(segments.join("/"))
}

/// Removes `.` and `..` segments and turns backslashes into slashes, as RFC 3986 and the URL standard say. Unreserved
/// characters that are percent-encoded are decoded; other escapes stay. The query is left alone. `None`: not a path
/// that can be normalized.
pub(crate) fn normalized(path: &str) -> Option<Cow<'_, str>> {
    if is_plain(path) {
        return Some(Cow::Borrowed(path));
    }
    let only_path = path.split('?').next().unwrap_or(path);
    // A fragment has no business in a request.
    if !only_path.starts_with('/') || path.contains('#') {
        return None;
    }
    let decoded = canonical_text(only_path)?;
    let mut out = String::with_capacity(path.len());
    resolve_dots(&decoded, &mut out);
    out.push_str(path.get(only_path.len()..).unwrap_or_default());
    if out == path { Some(Cow::Borrowed(path)) } else { Some(Cow::Owned(out)) }
}

/// Whether `path` consists of ordinary characters only, as nearly all do: a look at each byte in a table.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let end = bytes.iter().position(|byte| !PLAIN.get(usize::from(*byte)).is_some_and(|p| *p));
    let (segments, rest) =
        bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
    let no_dots = !segments.windows(2).any(|pair| pair == b"/.");
    path.starts_with('/')
        && no_dots
        && (rest.is_empty() || rest.starts_with(b"?") && !rest.contains(&b'#'))
}

/// Which bytes stay as they are in a path, wherever they stand, and do not end it.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "a constant: it fails while it is compiled")]
        {
            plain[byte as usize] = !needs_work(byte) && !matches!(byte, b'%' | b'?' | b'#');
        }
        byte += 1;
    }
    plain
};

/// Bytes that do not stay as they are in a canonical path.
const fn needs_work(byte: u8) -> bool {
    match byte {
        b'\\' | b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'^' | b'|' => true,
        _ => byte < 0x21 || byte > 0x7e,
    }
}

/// `path` with backslashes as slashes, unreserved characters decoded, and everything a URL may not hold encoded.
/// `None` for an escaped zero byte.
fn canonical_text(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.push('/'),
            b'%' => {
                let mut ahead = bytes.clone();
                let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
                let (Some(high), Some(low)) = digits else {
                    out.push('%');
                    continue;
                };
                let value = high * 16 + low;
                if value == 0 {
                    return None;
                }
                let raw = [bytes.next(), bytes.next()];
                if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
                    out.push(char::from(value));
                } else {
                    out.push('%');
                    out.extend(raw.into_iter().flatten().map(char::from));
                }
            }
            _ if needs_work(byte) => {
                out.push_str(&format!("%{byte:02X}"));
            }
            _ => out.push(char::from(byte)),
        }
    }
    Some(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Appends `path`, which begins with a slash, without its dot segments.
fn resolve_dots(path: &str, out: &mut String) {
    let mut segments: Vec<&str> = Vec::new();
    let mut trailing = false;
    for segment in path.split('/').skip(1) {
        trailing = false;
        match segment {
            "." => trailing = true,
            ".." => {
                segments.pop();
                trailing = true;
            }
            _ => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if trailing || segments.is_empty() {
        out.push('/');
    }
}

/// Makes one slash of several. The query is left alone.
pub(crate) fn merged_slashes(path: &str) -> Cow<'_, str> {
    let only_path = path.split('?').next().unwrap_or(path);
    if !only_path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for c in only_path.chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    out.push_str(path.get(only_path.len()..).unwrap_or_default());
    Cow::Owned(out)
}

/// Decodes `%2F` and `%5C` in any letter case. `None`: there are none.
pub(crate) fn unescaped_slashes(path: &str) -> Option<String> {
    let only_path = path.split('?').next().unwrap_or(path);
    let mut out = String::with_capacity(path.len());
    let mut rest = only_path;
    let mut found = false;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let slash = match after.get(..2) {
            Some("2F" | "2f") => Some('/'),
            Some("5C" | "5c") => Some('\\'),
            _ => None,
        };
        rest = match slash {
            Some(slash) => {
                found = true;
                out.push(slash);
                after.get(2..).unwrap_or_default()
            }
            None => {
                out.push('%');
                after
            }
        };
    }
    out.push_str(rest);
    out.push_str(path.get(only_path.len()..).unwrap_or_default());
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{
        merged_slashes, normalized, query_parameter, unescaped_slashes, without_parameters,
    };

    #[test]
    fn dot_segments_go_and_escapes_stay() {
        for (path, expected) in [
            ("/", Some("/")),
            ("/a/b?c=/../d", Some("/a/b?c=/../d")),
            ("/a/../b", Some("/b")),
            ("/a/./b", Some("/a/b")),
            ("/a/..", Some("/")),
            ("/../../a", Some("/a")),
            ("/a/b/..", Some("/a/")),
            ("/a/.", Some("/a/")),
            (r"/a\b\..\c", Some("/a/c")),
            ("/a/%2e%2E/b", Some("/b")),
            ("/a%2Fb", Some("/a%2Fb")),
            ("/%41", Some("/A")),
            ("/a%zz", Some("/a%zz")),
            ("/a//b", Some("/a//b")),
            ("/a%00", None),
            ("/a#b", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(normalized(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn slashes_merge_and_unescape() {
        assert_eq!(merged_slashes("//a///b//?x=//"), "/a/b/?x=//");
        assert_eq!(unescaped_slashes("/a%2Fb%5c?%2f").as_deref(), Some("/a/b\\?%2f"));
        assert_eq!(unescaped_slashes("/a%41"), None);
        assert_eq!(without_parameters("/a;x=1/b;y"), "/a/b");
    }

    #[test]
    fn the_first_raw_query_value_counts() {
        for (path, name, expected) in [
            ("/?a=1&a=2", "a", Some("1")),
            ("/?a", "a", Some("")),
            ("/?a=", "a", Some("")),
            ("/?b=a=1", "b", Some("a=1")),
            ("/?a=%41", "a", Some("%41")),
            ("/?ab=1", "a", None),
            ("/", "a", None),
            ("/?&&", "", None),
        ] {
            assert_eq!(query_parameter(path, name), expected, "{path}");
        }
    }
}
