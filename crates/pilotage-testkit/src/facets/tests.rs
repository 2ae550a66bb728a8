use serde_json::{Value, json};

use super::{Facet, compare};

fn dump() -> Value {
    json!({
        "listeners": [{
            "name": "0.0.0.0_80",
            "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 80}},
            "statPrefix": "x",
            "filterChains": [
                {"filterChainMatch": {"transportProtocol": "raw_buffer"}, "filters": [
                    {"name": "istio.stats"},
                    {"name": "http", "typedConfig": {
                        "@type": "type.googleapis.com/envoy.HttpConnectionManager",
                        "rds": {"routeConfigName": "80"}, "streamIdleTimeout": "0s"
                    }}
                ]},
                {"filters": [{"name": "tcp", "typedConfig": {
                    "@type": "type.googleapis.com/envoy.TcpProxy",
                    "weightedClusters": {"clusters": [{"name": "a", "weight": 1}, {"name": "b"}]}
                }}]}
            ]
        }],
        "routes": [{"name": "80", "virtualHosts": [{
            "name": "reviews:80", "domains": ["reviews", "*.reviews"],
            "routes": [
                {"match": {"prefix": "/", "headers": [{"name": "a"}, {"name": "b"}]},
                 "route": {"weightedClusters": {"clusters": [{"name": "v1", "weight": 80}, {"name": "v2", "weight": 20}]},
                           "timeout": "5s"}},
                {"match": {"path": "/x"}, "redirect": {"hostRedirect": "y"}}
            ]
        }]}],
        "clusters": [{
            "name": "v1", "type": "EDS", "connectTimeout": "10s",
            "transportSocket": {"name": "tls", "typedConfig": {"@type": "a.b.UpstreamTlsContext", "sni": "v1"}}
        }],
        "endpoints": [{"clusterName": "v1", "endpoints": [
            {"locality": {"region": "r"}, "lbEndpoints": [endpoint("10.0.0.1"), endpoint("10.0.0.2")]},
            {"locality": {"region": "empty"}}
        ]}]
    })
}

fn endpoint(address: &str) -> Value {
    json!({"endpoint": {"address": {"socketAddress": {"address": address, "portValue": 80}}}, "loadBalancingWeight": 1})
}

/// The facets that notice the change from one dump to another.
fn noticed_by(theirs: &Value, ours: &Value) -> Vec<Facet> {
    compare(theirs, ours).into_iter().filter(|(_, d)| !d.is_empty()).map(|(f, _)| f).collect()
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut dump = dump();
    *dump.pointer_mut(pointer).expect(pointer) = value;
    dump
}

#[test]
fn each_change_is_noticed_by_the_facet_that_it_belongs_to() {
    let host = "/routes/0/virtualHosts/0";
    let cases = [
        ("/listeners/0/address/socketAddress/portValue".to_owned(), json!(81), Facet::Listeners),
        (
            "/listeners/0/filterChains/0/filterChainMatch/transportProtocol".into(),
            json!("tls"),
            Facet::FilterChains,
        ),
        (
            "/listeners/0/filterChains/0/filters/1/typedConfig/rds/routeConfigName".into(),
            json!("x"),
            Facet::FilterChains,
        ),
        (
            "/listeners/0/filterChains/0/filters/1/typedConfig/streamIdleTimeout".into(),
            json!("1s"),
            Facet::HttpOptions,
        ),
        (
            "/listeners/0/filterChains/1/filters/0/typedConfig/weightedClusters/clusters/0/weight"
                .into(),
            json!(2),
            Facet::FilterChains,
        ),
        ("/routes/0/name".into(), json!("81"), Facet::RouteConfigs),
        (format!("{host}/domains/0"), json!("ratings"), Facet::Domains),
        (format!("{host}/routes/0/match/prefix"), json!("/y"), Facet::Routes),
        (
            format!("{host}/routes/0/route/weightedClusters/clusters/0/weight"),
            json!(70),
            Facet::Routes,
        ),
        (format!("{host}/routes/0/route/timeout"), json!("6s"), Facet::RoutePolicies),
        (format!("{host}/routes/1/redirect/hostRedirect"), json!("z"), Facet::Routes),
        ("/clusters/0/type".into(), json!("STATIC"), Facet::Clusters),
        ("/clusters/0/connectTimeout".into(), json!("1s"), Facet::ClusterPolicies),
        ("/clusters/0/transportSocket/typedConfig/sni".into(), json!("v2"), Facet::ClusterTls),
        (
            "/endpoints/0/endpoints/0/lbEndpoints/0/loadBalancingWeight".into(),
            json!(2),
            Facet::Endpoints,
        ),
    ];
    for (pointer, value, facet) in cases {
        let found = noticed_by(&dump(), &changed(&pointer, value));
        assert!(found.contains(&facet), "{pointer}: noticed by {found:?}");
    }
}

#[test]
fn what_decides_nothing_is_not_noticed() {
    let host = "/routes/0/virtualHosts/0";
    let cases = [
        ("/listeners/0/statPrefix".to_owned(), json!("y")),
        (format!("{host}/domains"), json!(["*.reviews", "reviews"])),
        (format!("{host}/routes/0/match/headers"), json!([{"name": "b"}, {"name": "a"}])),
        (format!("{host}/routes/0/route/timeout"), json!("5.0s")),
        (
            "/endpoints/0/endpoints/0/lbEndpoints".into(),
            json!([endpoint("10.0.0.2"), endpoint("10.0.0.1")]),
        ),
        ("/endpoints/0/endpoints/1/locality/region".into(), json!("another")),
        ("/listeners/0/filterChains/0/filters/0".into(), json!({"name": "istio.alpn"})),
    ];
    for (pointer, value) in cases {
        assert_eq!(noticed_by(&dump(), &changed(&pointer, value)), [], "{pointer}");
    }
}

#[test]
fn the_order_of_routes_is_noticed() {
    let mut swapped = dump();
    swapped
        .pointer_mut("/routes/0/virtualHosts/0/routes")
        .unwrap()
        .as_array_mut()
        .unwrap()
        .reverse();
    assert!(noticed_by(&dump(), &swapped).contains(&Facet::Routes));
}

#[test]
fn a_missing_resource_is_noticed() {
    let mut less = dump();
    less["clusters"] = json!([]);
    let differences = compare(&dump(), &less);
    assert_eq!(differences[&Facet::Clusters], ["/v1: only Istio's: \"EDS\""]);
}

/// Every leaf that is not left out on purpose must be looked at by some facet.
#[test]
fn every_change_in_what_istio_sends_is_noticed() {
    let mut changes = 0;
    for name in [
        "gw-tls-secrets",
        "dr-locality-failover",
        "vsm-header-ops-levels",
        "vsp-tcp-weights-one-left",
    ] {
        let case = crate::vectors::case(name).expect(name);
        let dump = case.resources.values().next().unwrap();
        let mut leaves = Vec::new();
        collect_leaves(dump, String::new(), &mut leaves);
        for pointer in leaves.iter().step_by(5) {
            let mut changed = dump.clone();
            let leaf = changed.pointer_mut(pointer).unwrap();
            *leaf = match &*leaf {
                Value::Bool(flag) => Value::Bool(!flag),
                Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
                other => json!(format!("{}x", other.as_str().unwrap())),
            };
            changes += 1;
            assert!(!noticed_by(dump, &changed).is_empty(), "{name}: {pointer} is not noticed");
        }
    }
    assert!(changes > 200, "only {changes} leaves were changed");
}

fn collect_leaves(value: &Value, path: String, out: &mut Vec<String>) {
    // What a filter is called and what the HTTP filters are set to are not facets: outcomes tell. Of inline routes with
    // the same name in several chains, the last is looked at.
    const ELSEWHERE: [&str; 6] =
        ["httpFilters", "name", "@type", "listenerFilters", "resourceApiVersion", "routeConfig"];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let of_cluster = path.starts_with("/clusters/") && name == "filters";
                if !ELSEWHERE.contains(&name.as_str())
                    && !super::canon::is_ignored(name)
                    && !of_cluster
                {
                    collect_leaves(value, format!("{path}/{}", name.replace('/', "~1")), out);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_leaves(item, format!("{path}/{index}"), out);
            }
        }
        Value::Null => {}
        _ => out.push(path),
    }
}
