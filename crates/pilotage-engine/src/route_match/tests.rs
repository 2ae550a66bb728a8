use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::envoy::config::route::v3::RouteMatch as Proto;
use pilotage_proto::json::from_value;
use serde_json::{Value, json};

use super::{RouteMatch, Subject};
use crate::headers::Headers;
use crate::metadata::DynamicMetadata;
use crate::path::without_query;
use crate::request::{Downstream, RequestHead};
use crate::trace::{Condition, NoTrace, Trace};

fn matches(proto: &Value, path: &str, headers: &[(&str, &str)], trace: &mut impl Trace) -> bool {
    let proto: Proto = from_value(proto).unwrap();
    let compiled = RouteMatch::compile(&proto).unwrap();
    let mut map = Headers::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    let downstream = Downstream::plain(([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
    let head = RequestHead {
        method: &Method::GET,
        scheme: "http",
        authority: "a.example:80",
        path,
        version: Version::HTTP_11,
        headers: &map,
        downstream: &downstream,
        client: downstream.peer,
        metadata: None,
    };
    let subject = Subject { head: &head, path: without_query(path), random: 10 };
    compiled.matches(&subject, trace)
}

#[test]
fn paths() {
    for (proto, path, expected) in [
        (json!({"prefix": "/foo"}), "/foobar", true),
        (json!({"prefix": "/foo"}), "/FOO", false),
        (json!({"prefix": "/foo", "caseSensitive": false}), "/FOObar", true),
        (json!({"prefix": ""}), "/", true),
        (json!({"path": "/foo"}), "/foo?x=1", true),
        (json!({"path": "/foo"}), "/foo/", false),
        (json!({"path": "/foo", "caseSensitive": false}), "/Foo", true),
        (json!({"pathSeparatedPrefix": "/foo"}), "/foo/bar", true),
        (json!({"pathSeparatedPrefix": "/foo"}), "/foo", true),
        (json!({"pathSeparatedPrefix": "/foo"}), "/foobar", false),
        (json!({"safeRegex": {"regex": "/a.*"}}), "/abc?x", true),
        (json!({"safeRegex": {"regex": "/a"}}), "/abc", false),
        (json!({"connectMatcher": {}}), "/", false),
        (
            json!({"prefix": "/", "runtimeFraction": {"defaultValue": {"numerator": 10}}}),
            "/",
            false,
        ),
        (json!({"prefix": "/", "runtimeFraction": {"defaultValue": {"numerator": 11}}}), "/", true),
    ] {
        assert_eq!(matches(&proto, path, &[], &mut NoTrace), expected, "{proto} on {path}");
    }
}

#[test]
fn headers() {
    let sent =
        [("end-user", "jason"), ("x-n", "7"), ("x-many", "a"), ("x-many", "b"), ("x-empty", "")];
    for (matcher, expected) in [
        (json!({"name": "end-user", "stringMatch": {"exact": "jason"}}), true),
        (json!({"name": "End-User", "stringMatch": {"exact": "jason"}}), true),
        (json!({"name": "end-user", "stringMatch": {"exact": "Jason"}}), false),
        (json!({"name": "end-user", "stringMatch": {"exact": "x"}, "invertMatch": true}), true),
        (json!({"name": "x-none", "stringMatch": {"exact": "x"}, "invertMatch": true}), false),
        (
            json!({"name": "x-none", "stringMatch": {"exact": "x"}, "invertMatch": true,
                "treatMissingHeaderAsEmpty": true}),
            true,
        ),
        (json!({"name": "x-none", "presentMatch": true}), false),
        (json!({"name": "x-none", "presentMatch": true, "invertMatch": true}), true),
        (json!({"name": "x-none", "presentMatch": false}), true),
        (json!({"name": "end-user", "presentMatch": false}), false),
        (json!({"name": "x-empty", "presentMatch": true}), true),
        (json!({"name": "x-many", "stringMatch": {"exact": "a,b"}}), false),
        (json!({"name": "x-many", "stringMatch": {"exact": "b"}}), true),
        (json!({"name": "x-n", "rangeMatch": {"start": 1, "end": 8}}), true),
        (json!({"name": "x-n", "rangeMatch": {"start": 1, "end": 7}}), false),
        (json!({"name": ":authority", "stringMatch": {"exact": "a.example:80"}}), true),
        (json!({"name": "host", "stringMatch": {"prefix": "a."}}), true),
        (json!({"name": ":method", "stringMatch": {"exact": "GET"}}), true),
        (json!({"name": ":scheme", "stringMatch": {"exact": "https"}}), false),
        (json!({"name": ":path", "stringMatch": {"exact": "/?q=1"}}), true),
        (json!({"name": "end-user"}), true),
    ] {
        let proto = json!({"prefix": "/", "headers": [matcher]});
        assert_eq!(matches(&proto, "/?q=1", &sent, &mut NoTrace), expected, "{proto}");
    }
}

#[test]
fn query_parameters() {
    for (proto, expected) in [
        (json!({"queryParameters": [{"name": "v", "stringMatch": {"exact": "1"}}]}), true),
        (json!({"queryParameters": [{"name": "v", "stringMatch": {"exact": "2"}}]}), false),
        (json!({"queryParameters": [{"name": "w", "presentMatch": true}]}), true),
        (json!({"queryParameters": [{"name": "z", "presentMatch": true}]}), false),
    ] {
        let mut proto = proto;
        proto["prefix"] = "/".into();
        assert_eq!(matches(&proto, "/?v=1&v=2&w", &[], &mut NoTrace), expected, "{proto}");
    }
}

fn metadata_matches(matcher: &Value, metadata: Option<&DynamicMetadata>) -> bool {
    let proto: Proto = from_value(&json!({"prefix": "/", "dynamicMetadata": [matcher]})).unwrap();
    let compiled = RouteMatch::compile(&proto).unwrap();
    assert_eq!(compiled.holds_without_metadata(), compiled.dynamic_metadata()[0].matches(None));
    compiled.dynamic_metadata()[0].matches(metadata)
}

#[test]
fn metadata() {
    let fields: Metadata = from_value(&json!({"filterMetadata": {"jwt": {
        "text": "x", "number": 7, "truth": true, "none": null, "list": ["x", 8],
        "payload": {"groups": ["dev", "ops"], "sub": "ann"}
    }}}))
    .unwrap();
    let mut metadata = DynamicMetadata::default();
    metadata.set("jwt", fields.filter_metadata["jwt"].fields.clone(), false);
    let exact = |text: &str| json!({"stringMatch": {"exact": text}});
    let claim = json!({"orMatch": {"valueMatchers": [
        {"stringMatch": {"exact": "ops"}},
        {"listMatch": {"oneOf": {"stringMatch": {"exact": "ops"}}}}
    ]}});
    for (path, value, expected) in [
        (vec!["text"], exact("x"), true),
        (vec!["text"], exact("y"), false),
        (vec!["number"], exact("7"), false),
        (vec!["number"], json!({"doubleMatch": {"exact": 7}}), true),
        (vec!["number"], json!({"doubleMatch": {"range": {"start": 1, "end": 7}}}), false),
        (vec!["number"], json!({"doubleMatch": {"range": {"start": 7, "end": 8}}}), true),
        (vec!["truth"], json!({"boolMatch": true}), true),
        (vec!["truth"], json!({"boolMatch": false}), false),
        (vec!["none"], json!({"nullMatch": {}}), true),
        (vec!["gone"], json!({"nullMatch": {}}), false),
        (vec!["none"], json!({"presentMatch": true}), true),
        (vec!["gone"], json!({"presentMatch": true}), false),
        (vec!["gone"], json!({"presentMatch": false}), false),
        (vec!["text"], json!({"presentMatch": false}), false),
        (vec!["list"], json!({"listMatch": {"oneOf": {"doubleMatch": {"exact": 8}}}}), true),
        (vec!["payload", "groups"], claim.clone(), true),
        (vec!["payload", "sub"], claim, false),
        (vec!["payload"], exact("ann"), false),
    ] {
        let path: Vec<_> = path.iter().map(|key| json!({"key": key})).collect();
        let mut matcher = json!({"filter": "jwt", "path": path, "value": value});
        assert_eq!(metadata_matches(&matcher, Some(&metadata)), expected, "{matcher}");
        assert!(!metadata_matches(&matcher, None), "{matcher}");
        matcher["invert"] = true.into();
        assert_eq!(metadata_matches(&matcher, Some(&metadata)), !expected, "{matcher}");
        assert!(metadata_matches(&matcher, None), "{matcher}");
    }
}

#[test]
fn conditions_on_metadata_are_whole() {
    let path = json!([{"key": "a"}]);
    for (broken, at) in [
        (json!({"path": path, "value": {"boolMatch": true}}), "filter"),
        (json!({"filter": "f", "value": {"boolMatch": true}}), "path"),
        (
            json!({"filter": "f", "path": [{"key": ""}], "value": {"boolMatch": true}}),
            "path[0].key",
        ),
        (json!({"filter": "f", "path": path}), "value"),
        (json!({"filter": "f", "path": path, "value": {}}), "value.match_pattern"),
        (
            json!({"filter": "f", "path": path, "value": {"orMatch": {"valueMatchers": [{"boolMatch": true}]}}}),
            "value.or_match.value_matchers",
        ),
    ] {
        let proto: Proto =
            from_value(&json!({"prefix": "/", "dynamicMetadata": [broken]})).unwrap();
        let told = RouteMatch::compile(&proto).unwrap_err();
        assert_eq!(told.path, format!("dynamic_metadata[0].{at}"), "{broken}");
    }
}

#[test]
fn a_listener_hears_every_condition() {
    struct Heard(Vec<(String, bool)>);
    impl Trace for Heard {
        fn condition(&mut self, condition: Condition<'_>, head: &RequestHead<'_>, holds: bool) {
            let (wanted, got) = (condition.wanted(), condition.got(head).unwrap_or_default());
            let (kind, name) = (condition.kind(), condition.name());
            self.0.push((format!("{kind} {name}: {wanted}, got {got}"), holds));
        }
    }
    let proto = json!({"prefix": "/x", "headers": [
        {"name": "a", "presentMatch": true},
        {"name": "b", "stringMatch": {"safeRegex": {"regex": "x+"}}, "invertMatch": true,
         "treatMissingHeaderAsEmpty": true},
        {"name": ":method", "stringMatch": {"exact": "PUT", "ignoreCase": true}}
    ], "queryParameters": [{"name": "q", "stringMatch": {"prefix": "1"}}]});
    let mut heard = Heard(Vec::new());
    assert!(!matches(&proto, "/?q=12", &[("a", "b")], &mut heard));
    let expected = [
        ("path : prefix /x, got /", false),
        ("header a: present, got b", true),
        ("header b: not regex x+, got ", true),
        ("header :method: exact PUT, any case, got GET", false),
        ("query q: prefix 1, got 12", true),
    ];
    assert_eq!(heard.0, expected.map(|(text, holds)| (text.to_owned(), holds)));
}

#[test]
fn what_cannot_be_compiled_is_refused() {
    for proto in [
        json!({}),
        json!({"safeRegex": {"regex": "*"}}),
        json!({"pathSeparatedPrefix": "/a/"}),
        json!({"prefix": "/", "headers": [{"name": ""}]}),
        json!({"prefix": "/", "queryParameters": [{"presentMatch": true}]}),
    ] {
        let parsed: Proto = from_value(&proto).unwrap();
        assert!(RouteMatch::compile(&parsed).is_err(), "{proto}");
    }
}
