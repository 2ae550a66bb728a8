//! Random VirtualServices: valid, and with nothing in them that depends on chance.
//!
//! Alphabets are small, so that rules overlap and requests hit them.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Paths that rules name exactly or by prefix.
const PATHS: [&str; 12] =
    ["/", "/a", "/a/", "/a/b", "/api", "/api/v1", "/A", "/b", "/a%20b", "/a.b", "/api/", "/b/c/d"];
/// Regular expressions for paths, and a path that each matches.
pub(crate) const PATH_REGEXES: [(&str, &str); 8] = [
    ("/a/.*", "/a/xyz"),
    ("/(a|b)/[^/]+", "/b/c"),
    ("/api/v[0-9]+(/.*)?", "/api/v12/x"),
    (".*b", "/a/b"),
    ("/[[:alpha:]]*", "/abc"),
    ("/\\d+", "/42"),
    ("(?i)/aPi.*", "/API/x"),
    ("/a.b", "/a.b"),
];
/// Regular expressions for values, and a value that each matches.
pub(crate) const VALUE_REGEXES: [(&str, &str); 5] =
    [("o.*", "one"), ("[a-z]+", "two"), ("one|two", "two"), (".*", ""), ("[0-9]{1,3}", "42")];
const VALUES: [&str; 5] = ["one", "two", "o", "42", "One"];
pub(crate) const HEADERS: [&str; 5] = ["x-a", "x-b", "user-agent", "cookie", "x-Mixed"];
pub(crate) const PARAMETERS: [&str; 3] = ["q", "r", "Q"];
/// Values of header operations, with Envoy's command operators.
const OPERATED: [&str; 23] = [
    "%DOWNSTREAM_TLS_VERSION%",
    "tls %DOWNSTREAM_PEER_SUBJECT%",
    "%UPSTREAM_TLS_CIPHER%!",
    "%REQUESTED_SERVER_NAME%",
    "%UPSTREAM_HOST%",
    "plain",
    "with blanks",
    "%REQ(x-a)%",
    "%REQ(x-missing?:path)%",
    "%REQ(:authority)%",
    "%REQ(user-agent):3%",
    "100%% sure",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%PROTOCOL%",
    "%REQ(:method)%-%REQ(:path)%",
    "%RESPONSE_CODE%",
    "%RESP(x-up)%",
    "%RESPONSE_CODE_DETAILS%",
    "%UPSTREAM_CLUSTER%",
    "%ROUTE_NAME%",
    "%RESPONSE_FLAGS%",
    "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "%BYTES_RECEIVED%",
];

pub(crate) fn draw(random: &mut Rng) -> Value {
    let mut rules = json!({"root": {"http": http(random, true)}});
    if rules.to_string().contains("\"delegate\"") {
        rules["delegate"] = json!({"http": http(random, false)});
    }
    rules
}

fn http(random: &mut Rng, may_delegate: bool) -> Value {
    let rules = 1 + random.usize(..4);
    (0..rules).map(|index| rule(random, index, may_delegate)).collect()
}

/// True so often of a hundred times.
fn chance(random: &mut Rng, percent: u32) -> bool {
    random.u32(..100) < percent
}

fn one<T: Copy>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())]
}

fn rule(random: &mut Rng, index: usize, may_delegate: bool) -> Value {
    let mut rule = Map::new();
    let mut put = |name: &str, value: Value| rule.insert(name.to_owned(), value);
    if chance(random, 30) {
        put("name", json!(format!("rule-{index}")));
    }
    let matches = [0, 1, 1, 1, 2][random.usize(..5)];
    if matches > 0 {
        put("match", (0..matches).map(|_| http_match(random)).collect());
    }
    if chance(random, 35) {
        put("headers", operations(random, true));
    }
    if chance(random, 15) {
        put("fault", fault(random));
    }
    if chance(random, 15) {
        put("corsPolicy", cors(random));
    }
    match random.u32(..100) {
        0..14 => drop(put("redirect", redirect(random))),
        14..28 => drop(put("directResponse", direct_response(random))),
        28..36 if may_delegate => drop(put("delegate", json!({"name": "delegate"}))),
        _ => forward(random, &mut put),
    }
    Value::Object(rule)
}

fn forward(random: &mut Rng, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    put("route", destinations(random));
    if chance(random, 35) {
        put("rewrite", rewrite(random));
    }
    if chance(random, 8) {
        put("timeout", json!(one(random, &["0.6s", "0s", "3s"])));
    }
    if chance(random, 45) {
        put("retries", retries(random));
    }
    if chance(random, 8) {
        put("mirror", json!({"host": "shadow.test"}));
        if chance(random, 50) {
            put("mirrorPercentage", json!({"value": one(random, &[0, 100])}));
        }
    } else if chance(random, 8) {
        let mirror = |random: &mut Rng, host| {
            let mut mirror = json!({"destination": {"host": host}});
            if chance(random, 50) {
                mirror["percentage"] = json!({"value": one(random, &[0, 100])});
            }
            mirror
        };
        put("mirrors", json!([mirror(random, "shadow.test"), mirror(random, "shade.test")]));
    }
}

/// A condition on a text, out of `exact`, with samples for the regular expressions elsewhere.
fn text(random: &mut Rng, exact: &[&str], regexes: &[(&str, &str)]) -> Value {
    match random.u32(..3) {
        0 => json!({"exact": one(random, exact)}),
        1 => json!({"prefix": one(random, exact)}),
        _ => json!({"regex": one(random, regexes).0}),
    }
}

fn http_match(random: &mut Rng) -> Value {
    let mut found = Map::new();
    let mut put = |name: &str, value: Value| found.insert(name.to_owned(), value);
    if chance(random, 75) {
        put("uri", text(random, &PATHS, &PATH_REGEXES));
        if chance(random, 15) {
            put("ignoreUriCase", json!(true));
        }
    }
    if chance(random, 30) {
        let condition = |random: &mut Rng| match chance(random, 20) {
            true => json!({}),
            false => text(random, &VALUES, &VALUE_REGEXES),
        };
        put("headers", json!({one(random, &HEADERS): condition(random)}));
        if chance(random, 40) {
            put("withoutHeaders", json!({one(random, &HEADERS): condition(random)}));
        }
    }
    if chance(random, 25) {
        put(
            "queryParams",
            json!({one(random, &PARAMETERS): text(random, &VALUES, &VALUE_REGEXES)}),
        );
    }
    if chance(random, 15) {
        put("method", json!({"exact": one(random, &["GET", "POST", "HEAD", "OPTIONS"])}));
    }
    if chance(random, 8) {
        put("statPrefix", json!(one(random, &["counted", "also.counted"])));
    }
    if chance(random, 8) {
        put("port", json!(one(random, &[80, 80, 81])));
    }
    if chance(random, 8) {
        put("scheme", json!({"exact": one(random, &["http", "https"])}));
    }
    if chance(random, 8) {
        let condition =
            [json!({"prefix": "v"}), json!({"regex": "v.*"}), json!({"regex": ".*:80"})];
        put("authority", condition[random.usize(..3)].clone());
    }
    if found.is_empty() {
        found.insert("uri".to_owned(), json!({"prefix": "/"}));
    }
    Value::Object(found)
}

fn destinations(random: &mut Rng) -> Value {
    let destination = |random: &mut Rng| match random.u32(..20) {
        0 => json!({"host": "dead.test"}),
        1 => json!({"host": "empty.test"}),
        2 => json!({"host": "backend.test", "subset": "missing"}),
        3 => json!({"host": "nowhere.test"}),
        4 | 5 => json!({"host": "other.test"}),
        _ => json!({"host": "backend.test", "subset": one(random, &["v1", "v2", "v3"])}),
    };
    let count = [1, 1, 2, 3][random.usize(..4)];
    let takes_all = random.usize(..count);
    let branch = |random: &mut Rng, index: usize| {
        let mut branch = json!({"destination": destination(random)});
        if count > 1 {
            branch["weight"] = json!(if index == takes_all { 100 } else { 0 });
        }
        if chance(random, 25) {
            branch["headers"] = operations(random, true);
        }
        branch
    };
    (0..count).map(|index| branch(random, index)).collect()
}

fn operations(random: &mut Rng, may_set_host: bool) -> Value {
    let mut all = Map::new();
    for side in ["request", "response"] {
        if !chance(random, 65) {
            continue;
        }
        let mut operations = Map::new();
        for what in ["set", "add"] {
            if chance(random, 60) {
                let names = ["x-a", "x-new", "x-up", "X-Other", "server", "set-cookie"];
                let values = (0..1 + random.usize(..2))
                    .map(|_| (one(random, &names).to_owned(), json!(one(random, &OPERATED))));
                operations.insert(what.to_owned(), Value::Object(values.collect()));
            }
        }
        if may_set_host && side == "request" && what_host(random) {
            operations.insert("set".to_owned(), json!({"Host": "other-host.test"}));
        }
        if chance(random, 40) {
            let names = ["x-a", "x-up", "user-agent", "set-cookie", "content-type", "X-Mixed"];
            operations.insert("remove".to_owned(), json!([one(random, &names)]));
        }
        all.insert(side.to_owned(), Value::Object(operations));
    }
    Value::Object(all)
}

fn what_host(random: &mut Rng) -> bool {
    chance(random, 8)
}

fn fault(random: &mut Rng) -> Value {
    let mut fault = Map::new();
    if chance(random, 80) {
        let mut abort = match random.u32(..4) {
            0 => json!({"grpcStatus": one(random, &["UNAVAILABLE", "NOT_FOUND", "OK"])}),
            _ => json!({"httpStatus": one(random, &[200, 404, 418, 500, 503, 599])}),
        };
        if chance(random, 60) {
            abort["percentage"] = json!({"value": one(random, &[0.0, 100.0])});
        }
        fault.insert("abort".to_owned(), abort);
    }
    if chance(random, 30) || fault.is_empty() {
        let percentage = json!({"value": one(random, &[0, 100])});
        let delay = json!({"fixedDelay": "0.3s", "percentage": percentage});
        fault.insert("delay".to_owned(), delay);
    }
    Value::Object(fault)
}

fn cors(random: &mut Rng) -> Value {
    let mut cors = Map::new();
    let mut put = |name: &str, value: Value| cors.insert(name.to_owned(), value);
    let origins = [
        json!({"exact": "https://a.test"}),
        json!({"regex": "https://.*"}),
        json!({"prefix": "http"}),
    ];
    if chance(random, 90) {
        put("allowOrigins", json!([origins[random.usize(..3)]]));
    }
    if chance(random, 60) {
        put("allowMethods", json!(["GET", "POST"]));
    }
    if chance(random, 40) {
        put("allowHeaders", json!(["x-a", "x-b"]));
    }
    if chance(random, 40) {
        put("exposeHeaders", json!(["x-up"]));
    }
    if chance(random, 40) {
        put("maxAge", json!(one(random, &["24h", "1.5s", "60s"])));
    }
    if chance(random, 40) {
        put("allowCredentials", json!(random.bool()));
    }
    if chance(random, 40) {
        put("unmatchedPreflights", json!(one(random, &["FORWARD", "IGNORE", "UNSPECIFIED"])));
    }
    Value::Object(cors)
}

fn redirect(random: &mut Rng) -> Value {
    let mut redirect = Map::new();
    let mut put = |name: &str, value: Value| redirect.insert(name.to_owned(), value);
    match random.u32(..4) {
        0 => drop(put("uri", json!(one(random, &["/moved", "/moved?x=y", "/"])))),
        1 => drop(put("prefixRewrite", json!(one(random, &["/new", "/new/", "/"])))),
        2 => drop(put("uri", json!("%PREFIX()%/x"))),
        _ => {}
    }
    if chance(random, 50) {
        put("authority", json!(one(random, &["else.test", "else.test:8080"])));
    }
    if chance(random, 40) {
        put("scheme", json!(one(random, &["http", "https"])));
    }
    match random.u32(..4) {
        0 => drop(put("port", json!(one(random, &[80, 443, 8080])))),
        1 => {
            let from = ["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"];
            put("derivePort", json!(one(random, &from)));
        }
        _ => {}
    }
    if chance(random, 50) || redirect.is_empty() {
        redirect.insert("redirectCode".to_owned(), json!(one(random, &[301, 302, 303, 307, 308])));
    }
    Value::Object(redirect)
}

fn direct_response(random: &mut Rng) -> Value {
    let mut answer = json!({"status": one(random, &[200, 204, 304, 400, 404, 418, 503])});
    match random.u32(..3) {
        0 => answer["body"] = json!({"string": one(random, &["no", "<b>no</b>\n", "{\"a\": 1}"])}),
        1 => answer["body"] = json!({"bytes": "bm8="}),
        _ => {}
    }
    answer
}

fn rewrite(random: &mut Rng) -> Value {
    let mut rewrite = Map::new();
    match random.u32(..3) {
        0 => {
            let uri = one(random, &["/new", "/", "/new/", "/new?x=y"]);
            rewrite.insert("uri".to_owned(), json!(uri));
        }
        1 => {
            let (regex, to) = one(
                random,
                &[
                    ("^/(a|b)/(.*)$", "/\\2/\\1"),
                    ("/b", "/-"),
                    ("^/([^/]*).*", "/x\\0"),
                    ("[aeiou]", "_"),
                    ("^/api(/.*)?$", "/v2\\1"),
                ],
            );
            rewrite.insert("uriRegexRewrite".to_owned(), json!({"match": regex, "rewrite": to}));
        }
        _ => {}
    }
    if chance(random, 40) || rewrite.is_empty() {
        rewrite.insert("authority".to_owned(), json!("rewritten.test"));
    }
    Value::Object(rewrite)
}

fn retries(random: &mut Rng) -> Value {
    let mut retries = json!({"attempts": random.u32(..4)});
    const CONDITIONS: [&str; 12] = [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "503",
        "409,429",
        "unavailable,resource-exhausted",
        "retriable-status-codes,404",
        "cancelled",
    ];
    if retries["attempts"] != 0 && chance(random, 80) {
        let conditions: Vec<&str> =
            (0..1 + random.usize(..2)).map(|_| one(random, &CONDITIONS)).collect();
        retries["retryOn"] = json!(conditions.join(","));
    }
    if retries["attempts"] != 0 && chance(random, 12) {
        retries["perTryTimeout"] = json!(one(random, &["0.5s", "2s"]));
    }
    if chance(random, 20) {
        retries["backoff"] = json!("0.01s");
    }
    if chance(random, 10) {
        retries["retryRemoteLocalities"] = json!(random.bool());
    }
    if chance(random, 10) {
        retries["retryIgnorePreviousHosts"] = json!(random.bool());
    }
    retries
}
