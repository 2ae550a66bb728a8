//! Each rule from the outside: a spec, and the fields that it is faulted for.

use crate::check;

/// The problems of an object with this kind and spec: `severity field`, in the order found.
fn problems(kind: &str, spec: &str) -> Vec<String> {
    let text = format!(
        "{{apiVersion: networking.istio.io/v1, kind: {kind}, metadata: {{name: x, namespace: a}}, spec: {spec}}}"
    );
    let loaded = crate::load("x.yaml", &text);
    let objects: Vec<_> = loaded.objects.iter().chain(&loaded.broken).collect();
    let [object] = objects.as_slice() else { panic!("{kind} {spec}: {:?}", loaded.diagnostics) };
    assert_eq!(loaded.diagnostics, check(object), "the shape is right, and loading checks");
    check(object)
        .iter()
        .map(|p| {
            assert!(p.primary.is_some(), "{p} has no place");
            let path = p.path.as_ref().map_or("", |path| path.as_str());
            format!("{} {}", p.severity, path.trim_start_matches("spec."))
        })
        .collect()
}

fn each(kind: &str, table: &[(&str, &[&str])]) {
    for (spec, expected) in table {
        assert_eq!(problems(kind, spec), *expected, "{kind} {spec}");
    }
}

#[test]
fn virtual_service_as_a_whole() {
    each(
        "VirtualService",
        &[
            ("{hosts: [a], http: [{directResponse: {status: 200}}]}", &[]),
            ("{hosts: [a]}", &["error spec"]),
            ("{hosts: ['*'], http: [{directResponse: {status: 200}}]}", &["error hosts[0]"]),
            ("{hosts: ['*'], gateways: [a/b], http: [{directResponse: {status: 200}}]}", &[]),
            (
                "{hosts: ['*.a.com', x.a.com], http: [{directResponse: {status: 200}}]}",
                &["error hosts[1]"],
            ),
            ("{gateways: [a/b], http: [{directResponse: {status: 200}}]}", &["error gateways"]),
            (
                "{hosts: [a], gateways: [./b], http: [{directResponse: {status: 200}}]}",
                &["error gateways[0]"],
            ),
            (
                "{hosts: [a], gateways: [b.a], http: [{directResponse: {status: 200}}]}",
                &["warning gateways[0]"],
            ),
            (
                "{hosts: [a], exportTo: [., a], http: [{directResponse: {status: 200}}]}",
                &["error exportTo[1]"],
            ),
            (
                "{hosts: [a], exportTo: ['~'], http: [{directResponse: {status: 200}}]}",
                &["error exportTo[0]"],
            ),
        ],
    );
}

#[test]
fn http_rules() {
    let rule =
        |rule: &str| problems("VirtualService", &format!("{{hosts: [a], http: [{{{rule}}}]}}"));
    let table: &[(&str, &[&str])] = &[
        ("name: x", &["error http[0]"]),
        ("redirect: {uri: /}, route: [{destination: {host: b}}]", &["error http[0].route"]),
        ("redirect: {}", &["error http[0].redirect"]),
        (
            "redirect: {uri: /, redirectCode: 200, scheme: ftp}",
            &["error http[0].redirect.redirectCode", "error http[0].redirect.scheme"],
        ),
        ("route: [{destination: {host: 10.0.0.1}}]", &["error http[0].route[0].destination.host"]),
        ("route: [{destination: {host: b}}, {destination: {host: c}}]", &["error http[0].route"]),
        ("route: [{destination: {host: b}, weight: -1}]", &["error http[0].route[0].weight"]),
        ("route: [{destination: {host: b}}], timeout: 0s", &["error http[0].timeout"]),
        ("route: [{destination: {host: b}}], timeout: 1.0005s", &["error http[0].timeout"]),
        (
            "route: [{destination: {host: b}}], retries: {attempts: 0, retryOn: 5xx}",
            &["error http[0].retries"],
        ),
        (
            "route: [{destination: {host: b}}], retries: {attempts: 1, retryOn: '5xx, reset'}",
            &["error http[0].retries.retryOn"],
        ),
        ("route: [{destination: {host: b}}], fault: {}", &["error http[0].fault"]),
        (
            "route: [{destination: {host: b}}], fault: {abort: {httpStatus: 700, percentage: {value: 101}}}",
            &["error http[0].fault.abort.percentage", "error http[0].fault.abort.httpStatus"],
        ),
        (
            "route: [{destination: {host: b}}], rewrite: {authority: c}, headers: {request: {set: {Host: d}}}",
            &["error http[0].headers.request.set.Host"],
        ),
        (
            "route: [{destination: {host: b}}], headers: {response: {add: {x: '%a'}, remove: [host]}}",
            &["error http[0].headers.response.add.x", "error http[0].headers.response.remove[0]"],
        ),
        (
            "route: [{destination: {host: b}}], corsPolicy: {allowMethods: [FETCH], maxAge: 1500ms}",
            &["error http[0].corsPolicy.allowMethods[0]", "error http[0].corsPolicy.maxAge"],
        ),
        (
            "route: [{destination: {host: b}}], mirror: {host: c}, mirrorPercent: 101",
            &["warning http[0].mirrorPercent", "error http[0].mirrorPercent"],
        ),
        ("directResponse: {status: 100}", &["error http[0].directResponse.status"]),
        ("delegate: {name: d}, route: [{destination: {host: b}}]", &["error http[0].route"]),
    ];
    for (text, expected) in table {
        assert_eq!(rule(text), *expected, "{text}");
    }
}

#[test]
fn http_matches() {
    let block = |block: &str| {
        let http = format!("[{{match: [{{{block}}}], directResponse: {{status: 200}}}}]");
        problems("VirtualService", &format!("{{hosts: [a], http: {http}}}"))
    };
    let table: &[(&str, &[&str])] = &[
        ("uri: {prefix: ''}", &[]),
        ("uri: {regex: 'a(b'}", &["error http[0].match[0].uri"]),
        ("method: {prefix: ''}", &["error http[0].match[0].method"]),
        ("headers: {x: {regex: '*'}}", &["error http[0].match[0].headers.x"]),
        ("headers: {x: null}", &[]),
        ("withoutHeaders: {x: {regex: '*'}}", &[]),
        ("headers: {'x y': {}}", &["error http[0].match[0].headers[\"x y\"]"]),
        (
            "headers: {'@request.auth.claims.a': {exact: b}}",
            &["error http[0].match[0].headers[\"@request.auth.claims.a\"]"],
        ),
        (
            "gateways: [web], headers: {'@request.auth.claims.a': {exact: b}}",
            &["error http[0].match[0].headers[\"@request.auth.claims.a\"]"],
        ),
        ("port: 70000", &["error http[0].match[0].port"]),
        ("sourceLabels: {a: 'b c'}", &["error http[0].match[0].sourceLabels.a"]),
        ("sourceNamespace: a.b", &["error http[0].match[0].sourceNamespace"]),
    ];
    for (text, expected) in table {
        assert_eq!(block(text), *expected, "{text}");
    }
}

#[test]
fn rules_that_are_never_reached() {
    let http =
        |rules: &str| problems("VirtualService", &format!("{{hosts: [a], http: [{rules}]}}"));
    let answer = "directResponse: {status: 200}";
    assert_eq!(http(&format!("{{{answer}}}, {{{answer}}}")), ["warning http[1]"]);
    let api = format!("{{match: [{{uri: {{prefix: /api}}}}], {answer}}}");
    assert_eq!(http(&format!("{api}, {api}")), ["info http[1].match[0]", "warning http[1]"]);
    let longer = format!("{{match: [{{uri: {{prefix: /api/v2}}}}], {answer}}}");
    assert_eq!(http(&format!("{api}, {longer}")), ["info http[1].match[0]"]);
    assert_eq!(http(&format!("{longer}, {api}")), [""; 0]);
}

#[test]
fn tls_and_tcp_rules() {
    each(
        "VirtualService",
        &[
            (
                "{hosts: [a.com], tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: b}}]}]}",
                &[],
            ),
            (
                "{hosts: [a.com], tls: [{match: [{sniHosts: [b.com]}], route: [{destination: {host: b}}]}]}",
                &["error tls[0].match[0].sniHosts[0]"],
            ),
            ("{hosts: [a.com], tls: [{}]}", &["error tls[0]", "error tls[0]"]),
            (
                "{hosts: [a.com], tcp: [{match: [{destinationSubnets: [10.0.0.0/33]}]}]}",
                &["error tcp[0].match[0].destinationSubnets[0]", "error tcp[0]"],
            ),
        ],
    );
}

#[test]
fn destination_rules() {
    each(
        "DestinationRule",
        &[
            ("{host: a, subsets: [{name: v1}]}", &[]),
            ("{host: ''}", &["error host"]),
            ("{host: a, trafficPolicy: {}}", &["error trafficPolicy"]),
            (
                "{host: a, subsets: [{name: v1}, {name: v1}, {name: v_1}]}",
                &["error subsets[1].name", "error subsets[2].name"],
            ),
            (
                "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {maglev: {tableSize: 10}}}}}",
                &["error trafficPolicy.loadBalancer.consistentHash.maglev.tableSize"],
            ),
            (
                "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
                &["error trafficPolicy.tls", "error trafficPolicy.tls"],
            ),
            (
                "{host: a, trafficPolicy: {connectionPool: {http: {maxRetries: -1}}}}",
                &["error trafficPolicy.connectionPool.http.maxRetries"],
            ),
            (
                "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101, interval: 0s}}}",
                &[
                    "error trafficPolicy.outlierDetection.interval",
                    "error trafficPolicy.outlierDetection.maxEjectionPercent",
                ],
            ),
            (
                "{host: a, workloadSelector: {matchLabels: {app: '*'}}}",
                &["error workloadSelector.matchLabels.app"],
            ),
            (
                "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 99}}]}}}}",
                &["error trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to"],
            ),
        ],
    );
}

#[test]
fn gateways() {
    let server = |server: &str| problems("Gateway", &format!("{{servers: [{{{server}}}]}}"));
    let table: &[(&str, &[&str])] = &[
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']", &[]),
        ("port: {number: 80, name: a, protocol: HTTP}", &["error servers[0]"]),
        (
            "port: {number: 0, name: '', protocol: HTTP3}, hosts: ['*']",
            &[
                "error servers[0].port.protocol",
                "error servers[0].port.number",
                "error servers[0].port.name",
            ],
        ),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, hosts: [a]",
            &["error servers[0].hosts[0]", "error servers[0]"],
        ),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE}",
            &["error servers[0].tls", "error servers[0].tls"],
        ),
        (
            "port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}",
            &["error servers[0].tls"],
        ),
        (
            "port: {number: 80, name: a, protocol: HTTP}, hosts: ['x_y/*'], bind: a",
            &["error servers[0].hosts[0]", "error servers[0].bind"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(server(text), *expected, "{text}");
    }
}

#[test]
fn service_entries_and_workloads() {
    let ports = "ports: [{number: 80, name: http, protocol: HTTP}]";
    let entry = |spec: &str| problems("ServiceEntry", &format!("{{{ports}, {spec}}}"));
    let table: &[(&str, &[&str])] = &[
        ("hosts: [a.com], resolution: DNS", &[]),
        ("hosts: ['*']", &["error hosts[0]"]),
        ("hosts: ['*.a.com'], resolution: DNS", &["error hosts[0]"]),
        ("hosts: [a.com], endpoints: [{address: 10.0.0.1}]", &["error endpoints"]),
        (
            "hosts: [a.com], resolution: STATIC, endpoints: [{address: b.com}, {}]",
            &["error endpoints[0].address", "error endpoints[1]"],
        ),
        ("hosts: [a.com], resolution: DYNAMIC_DNS", &["error hosts[0]"]),
        ("hosts: [a.com], addresses: [10.0.0.0/8], resolution: DNS", &["error addresses[0]"]),
    ];
    for (text, expected) in table {
        assert_eq!(entry(text), *expected, "{text}");
    }
    each(
        "WorkloadEntry",
        &[
            ("{address: 10.0.0.1}", &[]),
            ("{}", &["error spec"]),
            ("{network: net}", &["warning spec"]),
            ("{address: 'unix://a', ports: {http: 80}}", &["error address", "error ports"]),
        ],
    );
    each(
        "WorkloadGroup",
        &[
            ("{template: {}, probe: {httpGet: {port: 80}}}", &["warning spec"]),
            (
                "{probe: {periodSeconds: -1}}",
                &["warning spec", "error spec", "error probe.periodSeconds", "error probe"],
            ),
        ],
    );
}

#[test]
fn sidecars() {
    each(
        "Sidecar",
        &[
            ("{egress: [{hosts: [./*]}]}", &[]),
            ("{}", &["error spec"]),
            ("{egress: [{hosts: [a.com]}]}", &["error egress[0].hosts[0]"]),
            (
                "{egress: [{hosts: [./*]}, {port: {number: 80, protocol: HTTP, name: a}, hosts: [./*]}]}",
                &["error egress[0]"],
            ),
            (
                "{ingress: [{port: {number: 80, protocol: HTTP, name: a}, defaultEndpoint: 'host:80'}]}",
                &["error ingress[0].defaultEndpoint"],
            ),
            (
                "{outboundTrafficPolicy: {egressProxy: {host: a.b}}}",
                &[
                    "warning outboundTrafficPolicy.egressProxy",
                    "error outboundTrafficPolicy.egressProxy",
                    "error outboundTrafficPolicy.egressProxy",
                ],
            ),
        ],
    );
}

/// The codes of the problems of an object.
fn codes_of(kind: &str, spec: &str) -> Vec<&'static str> {
    let text = format!(
        "{{apiVersion: networking.istio.io/v1, kind: {kind}, metadata: {{name: x}}, spec: {spec}}}"
    );
    crate::load("x.yaml", &text).diagnostics.iter().map(|problem| problem.code.id()).collect()
}

#[test]
fn codes_are_istios() {
    let rule = |text: &str| format!("{{hosts: [a], http: [{text}]}}");
    let to = "route: [{destination: {host: a}}]";
    let of = |text: &str| codes_of("VirtualService", &rule(text));
    let delay = format!("{{{to}, fault: {{delay: {{percent: 5, fixedDelay: 1s}}}}}}");
    assert_eq!(of(&delay), ["IST0002"]);
    assert_eq!(of(&format!("{{{to}, mirror: {{host: b}}, mirrorPercent: 5}}")), ["IST0133"]);
    assert_eq!(of(&format!("{{{to}}}, {{{to}}}")), ["IST0130"]);
    let nested = format!(
        "{{match: [{{uri: {{prefix: /a}}}}], {to}}}, {{match: [{{uri: {{prefix: /a/b}}}}], {to}}}"
    );
    assert_eq!(of(&nested), ["IST0131"]);
    assert_eq!(of("{timeout: 0s}"), ["IST0106", "IST0106"]);
}

#[test]
fn all_blocks_that_cover_one_are_one_problem_and_as_many_messages() {
    let block = |prefix: &str| format!("{{uri: {{prefix: {prefix}}}}}");
    let text = format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: x}}, spec: {{hosts: [a], \
         http: [{{match: [{}, {}], directResponse: {{status: 200}}}}, {{name: last, match: [{}], directResponse: {{status: 200}}}}]}}}}",
        block("/a/b"),
        block("/a"),
        block("/a/b/c")
    );
    let problems = crate::load("x.yaml", &text).diagnostics;
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.secondary.len(), 2);
    assert_eq!(
        problem.istio,
        [
            "VirtualService rule \"last\" match #0 of prefix /a/b/c is not used (duplicate/overlapping match in rule #0 of prefix /a/b on #0).",
            "VirtualService rule \"last\" match #0 of prefix /a/b/c is not used (duplicate/overlapping match in rule #1 of prefix /a on #0).",
        ]
    );
}
