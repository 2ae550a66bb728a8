use http::{HeaderValue, Version};

use super::{FormatContext, Template};
use crate::forward::Exchange;
use crate::headers::Headers;
use crate::request::Downstream;

fn expand(text: &str) -> String {
    let mut headers = Headers::new();
    headers.insert("x-user", HeaderValue::from_static("jason"));
    let downstream = Downstream::plain(([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
    let exchange = Exchange { hostname: "box", attempts: 1, ..Exchange::default() };
    let context = FormatContext {
        request_headers: &headers,
        method: "GET",
        authority: "a.example",
        path: "/x?y",
        scheme: "http",
        version: Version::HTTP_2,
        downstream: &downstream,
        client: ([192, 0, 2, 9], 1).into(),
        response_headers: None,
        exchange: &exchange,
        route_name: "r",
    };
    let value = Template::compile(text).unwrap().value(&context).unwrap();
    value.to_str().unwrap().to_owned()
}

#[test]
fn operators_expand() {
    for (template, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("100%%", "100%"),
        ("%REQ(x-user)%", "jason"),
        ("%REQ(X-User)%!", "jason!"),
        ("%REQ(x-user):3%", "jas"),
        ("%REQ(x-alt?x-user)%", "jason"),
        ("[%REQ(x-none)%]", "[]"),
        ("%REQ(:method)% %REQ(:path)% %REQ(host)%", "GET /x?y a.example"),
        ("%PROTOCOL%", "HTTP/2"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "192.0.2.9:1"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.9"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.1:4000"),
        ("%DOWNSTREAM_LOCAL_PORT%", "80"),
        ("%HOSTNAME%/%ROUTE_NAME%", "box/r"),
        ("%UPSTREAM_HOST%", ""),
        ("%RESPONSE_FLAGS%", "-"),
        ("%START_TIME(%s)%", "0"),
        ("%DOWNSTREAM_TLS_VERSION%", ""),
    ] {
        assert_eq!(expand(template), expected, "{template}");
    }
}

#[test]
fn what_is_no_operator_is_refused() {
    for template in
        ["%", "50% off", "%NOSUCH%", "%REQ%", "%REQ(a%", "%REQ(a?b?c)%", "%req(a)%", "a\nb"]
    {
        assert!(Template::compile(template).is_err(), "{template}");
    }
}
