//! Rules of many kinds on one host, and requests that mean no good.

/// What the requests meet.
pub(crate) const RULES: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /admin}}]
    directResponse: {status: 403, body: {string: "no"}}
  - match: [{uri: {exact: /exact}}]
    route: [{destination: {host: reviews, subset: v1}}]
  - match: [{uri: {regex: "/re/[a-z]+"}}]
    rewrite: {uriRegexRewrite: {match: "^/re/(.*)$", rewrite: "/matched/\\1"}}
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {prefix: /Case}, ignoreUriCase: true}]
    rewrite: {uri: /lower}
    route: [{destination: {host: reviews, subset: v3}}]
  - match: [{queryParams: {q: {exact: "1"}}}]
    headers: {request: {set: {x-q: one}, remove: [x-secret]}, response: {add: {x-rule: query}}}
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{headers: {x-kind: {exact: "a,b"}}}]
    redirect: {uri: /joined, redirectCode: 302}
  - match: [{headers: {cookie: {regex: ".*user=jason.*"}}}]
    route: [{destination: {host: reviews, subset: v3}}]
  - match: [{withoutHeaders: {x-must: {}}, uri: {prefix: /must}}]
    directResponse: {status: 400, body: {string: "x-must is missing"}}
  - match: [{uri: {prefix: /moved}}]
    redirect: {authority: elsewhere, prefixRewrite: /new}
  - route: [{destination: {host: reviews, subset: v1}}]
    headers: {request: {add: {x-trail: proxy}}}
"#;

/// Requests by name.
pub(crate) fn requests() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for path in PATHS {
        all.push((
            format!("path {path}"),
            format!("GET {path} HTTP/1.1\r\nhost: reviews:9080\r\n\r\n"),
        ));
    }
    for host in HOSTS {
        all.push((format!("host {host:?}"), format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")));
    }
    for headers in HEADERS {
        let head = format!("GET /headers HTTP/1.1\r\nhost: reviews:9080\r\n{headers}\r\n\r\n");
        all.push((format!("headers {headers:?}"), head));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "BREW", "get"] {
        let head =
            format!("{method} / HTTP/1.1\r\nhost: reviews:9080\r\ncontent-length: 0\r\n\r\n");
        all.push((format!("method {method}"), head));
    }
    for text in WHOLE {
        all.push((format!("whole {text:?}"), (*text).to_owned()));
    }
    let long = "x".repeat(70 << 10);
    all.push((
        "huge header".into(),
        format!("GET / HTTP/1.1\r\nhost: reviews:9080\r\nx-huge: {long}\r\n\r\n"),
    ));
    let large = "x".repeat(40 << 10);
    all.push((
        "large header".into(),
        format!("GET / HTTP/1.1\r\nhost: reviews:9080\r\nx-large: {large}\r\n\r\n"),
    ));
    let many: String = (0..150).map(|i| format!("x-{i}: {i}\r\n")).collect();
    all.push((
        "many headers".into(),
        format!("GET / HTTP/1.1\r\nhost: reviews:9080\r\n{many}\r\n"),
    ));
    let path = "a/".repeat(4 << 10);
    all.push(("long path".into(), format!("GET /{path} HTTP/1.1\r\nhost: reviews:9080\r\n\r\n")));
    all.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

const PATHS: &[&str] = &[
    "/",
    "/exact",
    "/exact/",
    "/exact?x=y",
    "/exact#f",
    "/EXACT",
    "//exact",
    "/exact%2f",
    "/%65xact",
    "/re/abc",
    "/re/abc1",
    "/re/abc/d",
    "/re/",
    "/re/ABC",
    "/case/x",
    "/CASE/x?Q=1",
    "/Case",
    "/casex",
    "/admin",
    "/admin/",
    "/adminx",
    "/Admin",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/x/%2E%2E/admin",
    "/x\\..\\admin",
    "/./admin",
    "/admin/../x",
    "/a//b",
    "/a/./b",
    "/a/../../b",
    "/../b",
    "/..",
    "/.",
    "/a/..",
    "/a/.",
    "/%",
    "/%zz",
    "/%4",
    "/a%00b",
    "/a%20b",
    "/a+b",
    "/a;b=c",
    "/a%3fq=1",
    "/?q=1",
    "/?q=1&q=2",
    "/?q=2&q=1",
    "/?Q=1",
    "/?q=%31",
    "/?q",
    "/?q=",
    "/?&&q=1",
    "/??q=1",
    "/x?q=1#y",
    "/moved",
    "/moved/a?b=c",
    "/must",
    "/moved/../exact",
    "/a:b",
    "/a@b",
    "/~x",
    "/*",
    "/a|b",
    "/a\"b",
    "/a<b>",
    "/a{b}",
    "/a^b",
    "/a`b",
    "/\u{e4}",
    "http://reviews:9080/exact",
    "http://ratings:9080/exact",
    "*",
];

const HOSTS: &[&str] = &[
    "reviews",
    "reviews:9080",
    "REVIEWS:9080",
    "Reviews",
    "reviews.",
    "reviews.default",
    "reviews.default:9080",
    "reviews.default.svc",
    "reviews.default.svc.cluster.local",
    "reviews.default.svc.cluster.local:9080",
    "reviews.default.svc.cluster.local.",
    "reviews:80",
    "reviews:1",
    "reviews:",
    "reviews:abc",
    "10.96.0.1",
    "10.96.0.1:9080",
    "ratings:9080",
    "unknown.example",
    "unknown.example:9080",
    "x",
    "",
    "a b",
    "reviews,ratings",
    "reviews:9080:9080",
    "[::1]",
    "[::1]:9080",
    "user@reviews:9080",
    "reviews/path",
    "*",
    "-",
    "_",
    "%72eviews",
];

const HEADERS: &[&str] = &[
    "x-kind: a,b",
    "x-kind: a\r\nx-kind: b",
    "X-Kind: a,b",
    "x-kind: a, b",
    "x-secret: 1",
    "x-must: 1",
    "x-must:",
    "cookie: user=jason",
    "cookie: a=b; user=jason; c=d",
    "cookie: a=b\r\ncookie: user=jason",
    "x-trail: client",
    "x-trail: client\r\nx-trail: twice",
    "x-forwarded-for: 1.2.3.4",
    "x-forwarded-for: 1.2.3.4, 5.6.7.8",
    "x-forwarded-proto: https",
    "x-forwarded-proto: ftp",
    "x-forwarded-host: other",
    "x-envoy-original-path: /spoofed",
    "x-envoy-attempt-count: 7",
    "x-envoy-upstream-rq-timeout-ms: 100",
    "x-envoy-internal: true",
    "x-envoy-external-address: 9.9.9.9",
    "x-envoy-retry-on: 5xx",
    "x-envoy-decorator-operation: spoofed",
    "x_under_score: 1",
    "x-empty:",
    "x-spaces:    padded   ",
    "x-tab: a\tb",
    "connection: close",
    "connection: x-secret\r\nx-secret: 1",
    "connection: keep-alive",
    "keep-alive: timeout=5",
    "proxy-connection: keep-alive",
    "te: trailers",
    "te: gzip",
    "upgrade: h2c\r\nconnection: upgrade",
    "expect: 100-continue",
    "accept-encoding: gzip",
    "content-length: 0",
    "user-agent: x",
    "via: 1.1 other",
    "server: mine",
    "date: never",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ":path: /spoofed",
    "x-bad name: 1",
    "x-bad: a\u{1}b",
    "x-latin: \u{e4}",
    "host: ratings:9080",
    "content-length: 0\r\ncontent-length: 0",
];

const WHOLE: &[&str] = &[
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ncontent-length: 3\r\n\r\nabc",
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ntransfer-encoding: gzip\r\n\r\nabc",
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ncontent-length: -1\r\n\r\n",
    "POST /x HTTP/1.1\r\nhost: reviews:9080\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nhost: reviews:9080\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: reviews:9080\r\n\r\n",
    "GET / HTTP/1.2\r\nhost: reviews:9080\r\n\r\n",
    "GET /\r\nhost: reviews:9080\r\n\r\n",
    "GET  / HTTP/1.1\r\nhost: reviews:9080\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: reviews:9080\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: reviews:9080\r\nx: a\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nhost : reviews:9080\r\n\r\n",
    "GET / HTTP/1.1\nhost: reviews:9080\n\n",
    "\r\nGET / HTTP/1.1\r\nhost: reviews:9080\r\n\r\n",
    "nonsense\r\n\r\n",
    "CONNECT reviews:9080 HTTP/1.1\r\nhost: reviews:9080\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: reviews:9080\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: reviews:9080\r\nhost: reviews:9080\r\n\r\n",
];
