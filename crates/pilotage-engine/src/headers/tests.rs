use http::header::{ACCEPT, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Headers;

/// For the assertions of this crate: fails where the field is missing.
impl std::ops::Index<&str> for Headers {
    type Output = HeaderValue;

    fn index(&self, name: &str) -> &HeaderValue {
        self.get(name).unwrap()
    }
}

fn headers(fields: &[(&'static str, &'static str)]) -> Headers {
    let field = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    fields.iter().map(field).collect()
}

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

#[test]
fn looking_up() {
    let headers = headers(&[("accept", "a"), ("x-one", "b"), ("accept", "c")]);
    assert_eq!(headers.get(ACCEPT), Some(&value("a")));
    assert_eq!(headers.get("x-one"), Some(&value("b")));
    assert_eq!(headers.get(HOST), None);
    assert!(headers.contains_key("accept") && !headers.contains_key("host"));
    assert_eq!(headers.get_all("accept").collect::<Vec<_>>(), [&value("a"), &value("c")]);
    assert_eq!(headers.len(), 3);
}

#[test]
fn inserting_replaces_all_values_in_the_place_of_the_first() {
    let mut there = headers(&[("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")]);
    assert_eq!(there.insert("a", value("5")), Some(value("1")));
    assert_eq!(there, headers(&[("a", "5"), ("b", "2"), ("c", "4")]));
    assert_eq!(there.insert(ACCEPT, value("6")), None);
    assert_eq!(there, headers(&[("a", "5"), ("b", "2"), ("c", "4"), ("accept", "6")]));
}

#[test]
fn removing_takes_all_values() {
    let mut there = headers(&[("a", "1"), ("b", "2"), ("a", "3")]);
    assert_eq!(there.remove("a"), Some(value("1")));
    assert_eq!(there, headers(&[("b", "2")]));
    assert_eq!(there.remove("a"), None);
}

#[test]
fn to_and_from_the_map_of_the_http_crate() {
    let there = headers(&[("a", "1"), ("a", "2"), ("b", "3")]);
    assert_eq!(Headers::from(HeaderMap::from(there.clone())), there);
}
