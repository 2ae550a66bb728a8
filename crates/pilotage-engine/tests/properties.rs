//! Whatever arrives, nothing panics: resources with damaged bytes are taken or refused, and every request gets an
//! answer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how this test fails")]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo};
use pilotage_engine::forward::{Exchange, UpstreamFailure};
use pilotage_engine::forwarded::{self, Arrived};
use pilotage_engine::headers::Headers;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::request::UpstreamHead;
use pilotage_engine::retries::{AttemptOutcome, ResetReason, RetryState};
use pilotage_engine::{Decision, Downstream, Env, LiveState, NoTrace, RequestHead, Tables, decide};
use pilotage_proto::json::from_value;
use pilotage_proto::{Message, Name, ResourceSet};
use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::sample::Index;
use serde_json::json;

/// A change of one place in encoded bytes.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Remove(Index),
    Insert(Index, u8),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let one = (0..3_u8, any::<Index>(), any::<u8>()).prop_map(|(kind, place, byte)| match kind {
        0 => Damage::Replace(place, byte),
        1 => Damage::Remove(place),
        _ => Damage::Insert(place, byte),
    });
    prop::collection::vec(one, 0..6)
}

/// `message` with damaged bytes; unharmed when they do not decode any more.
fn damaged<M: Message + Name + Default + Clone>(message: &M, damages: &[Damage]) -> Arc<M> {
    let mut bytes = message.encode_to_vec();
    for damage in damages {
        match damage {
            Damage::Replace(place, byte) if !bytes.is_empty() => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            Damage::Remove(place) if !bytes.is_empty() => {
                bytes.remove(place.index(bytes.len()));
            }
            Damage::Insert(place, byte) => bytes.insert(place.index(bytes.len() + 1), *byte),
            Damage::Replace(..) | Damage::Remove(_) => {}
        }
    }
    Arc::new(M::decode(bytes.as_slice()).unwrap_or_else(|_| message.clone()))
}

fn rich_set(damages: &[Vec<Damage>; 4]) -> ResourceSet {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "rds": {"routeConfigName": "80"}, "normalizePath": true, "mergeSlashes": true, "useRemoteAddress": true,
        "xffNumTrustedHops": 1, "streamIdleTimeout": "5s", "serverName": "s", "upgradeConfigs": [{"upgradeType": "websocket"}],
        "httpFilters": [{"name": "envoy.filters.http.fault"}, {"name": "envoy.filters.http.cors"},
                        {"name": "envoy.filters.http.router"}]
    });
    let tcp = json!({"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "weightedClusters": {"clusters": [{"name": "one", "weight": 3}, {"name": "two", "weight": 1}]}});
    let listener = json!({
        "name": "l", "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 80}}, "listenerFiltersTimeout": "1s",
        "filterChains": [
            {"filterChainMatch": {"destinationPort": 80, "serverNames": ["*.example"], "transportProtocol": "tls",
                "prefixRanges": [{"addressPrefix": "10.0.0.0", "prefixLen": 8}], "applicationProtocols": ["h2"]},
             "filters": [{"name": "tcp", "typedConfig": tcp}]},
            {"filters": [{"name": "http", "typedConfig": manager}]}],
        "defaultFilterChain": {"filters": [{"name": "http", "typedConfig": manager}]}
    });
    let routes = json!({"name": "80", "ignorePortInHostMatching": true, "virtualHosts": [
        {"name": "v", "domains": ["a.example", "*.b", "c.*", "*"], "includeRequestAttemptCount": true, "routes": [
            {"match": {"prefix": "/a", "headers": [{"name": "x-a", "stringMatch": {"safeRegex": {"regex": "(a|b)+c?"}}},
                {"name": ":method", "rangeMatch": {"start": "1", "end": "5"}, "invertMatch": true}],
                "queryParameters": [{"name": "q", "stringMatch": {"prefix": "1"}}],
                "runtimeFraction": {"defaultValue": {"numerator": 50}}},
             "route": {"weightedClusters": {"clusters": [{"name": "one", "weight": 1, "hostRewriteLiteral": "w"},
                 {"name": "two", "weight": 2}]}, "prefixRewrite": "/b", "timeout": "2s", "retryPolicy": {"retryOn": "5xx,reset",
                 "numRetries": 3, "retryBackOff": {"baseInterval": "0.010s"}}, "hashPolicy": [{"cookie": {"name": "c", "ttl": "1s"}}],
                 "requestMirrorPolicies": [{"cluster": "two", "runtimeFraction": {"defaultValue": {"numerator": 10}}}]},
             "requestHeadersToAdd": [{"header": {"key": "x-b", "value": "%REQ(x-a):2% %START_TIME(%s.%3f)% %PROTOCOL%"}}]},
            {"match": {"safeRegex": {"regex": "/r/.*"}}, "route": {"cluster": "one",
                "regexRewrite": {"pattern": {"regex": "/r/([a-z]*)"}, "substitution": "/\\1"}, "maxGrpcTimeout": "0s"},
             "typedPerFilterConfig": {
                "envoy.filters.http.fault": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
                    "delay": {"fixedDelay": "1s", "percentage": {"numerator": 50}},
                    "abort": {"httpStatus": 503, "percentage": {"numerator": 50}}},
                "envoy.filters.http.cors": {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                    "allowOriginStringMatch": [{"exact": "*"}], "maxAge": "1"}}},
            {"match": {"path": "/old"}, "redirect": {"prefixRewrite": "/new", "schemeRedirect": "https", "portRedirect": 8443}},
            {"match": {"prefix": "/"}, "directResponse": {"status": 201, "body": {"inlineString": "x"}}}]}]});
    let cluster = json!({"name": "one", "type": "EDS", "lbPolicy": "LEAST_REQUEST", "connectTimeout": "1s",
        "commonLbConfig": {"healthyPanicThreshold": {"value": 30}, "localityWeightedLbConfig": {}},
        "circuitBreakers": {"thresholds": [{"maxRetries": 5, "retryBudget": {"budgetPercent": {"value": 20}}}]}});
    let endpoint = |last: u8, weight: u32, health: &str| {
        json!({"endpoint": {"address": {"socketAddress": {"address": format!("10.0.0.{last}"), "portValue": 80}}},
               "loadBalancingWeight": weight, "healthStatus": health})
    };
    let assignment = json!({"clusterName": "one", "endpoints": [
        {"loadBalancingWeight": 3, "lbEndpoints": [endpoint(1, 1, "HEALTHY"), endpoint(2, 7, "UNHEALTHY")]},
        {"loadBalancingWeight": 1, "priority": 1, "lbEndpoints": [endpoint(3, 1, "DEGRADED"), endpoint(4, 2, "HEALTHY")]}]});

    let mut set = ResourceSet::default();
    set.listeners.insert("l".into(), damaged(&from_value(&listener).unwrap(), &damages[0]));
    set.routes.insert("80".into(), damaged(&from_value(&routes).unwrap(), &damages[1]));
    set.clusters.insert("one".into(), damaged(&from_value(&cluster).unwrap(), &damages[2]));
    let two: pilotage_proto::envoy::config::cluster::v3::Cluster =
        from_value(&json!({"name": "two", "lbPolicy": "RING_HASH"})).unwrap();
    set.clusters.insert("two".into(), Arc::new(two));
    set.endpoints.insert("one".into(), damaged(&from_value(&assignment).unwrap(), &damages[3]));
    set
}

/// A request of any shape that HTTP allows.
#[derive(Clone, Debug)]
struct Sent {
    method: Method,
    authority: Option<String>,
    path: String,
    headers: Headers,
    version: Version,
}

fn requests() -> impl Strategy<Value = Sent> {
    let method =
        prop::sample::select(vec![Method::GET, Method::OPTIONS, Method::CONNECT, Method::HEAD]);
    let version = prop::sample::select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]);
    let authority = prop::option::of("[aAbc.:\\[\\]0-9é*]{0,12}");
    let path = "(/(a|r|old)?)?[a-z%2Ff5C.\\\\/?=&#;é]{0,20}";
    let names = vec![
        "x-a",
        "origin",
        "access-control-request-method",
        "x-forwarded-for",
        "grpc-timeout",
        "content-type",
        "upgrade",
        "connection",
        "cookie",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-max-retries",
        "te",
        "x_y",
    ];
    let values = prop::sample::select(vec![
        "",
        "a",
        "abab",
        "1",
        "-1",
        "1S",
        "99999999H",
        "application/grpc",
        "upgrade, close",
        "websocket",
        "c=1; d",
        "1.2.3.4, x",
        "[::1]:80,9.9.9.9",
        "18446744073709551615",
        "\u{e9}",
    ]);
    let headers = prop::collection::vec((prop::sample::select(names), values), 0..8);
    (method, version, authority, path, headers).prop_map(
        |(method, version, authority, path, pairs)| {
            let mut headers = Headers::new();
            for (name, value) in pairs {
                headers.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                );
            }
            Sent { method, authority, path, headers, version }
        },
    )
}

/// Takes one request through everything the engine has to say about it.
fn exchange(tables: &Tables, sent: &Sent, env: &mut Env<'_>) {
    let downstream = Downstream::plain(([127, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into());
    let Some(listener) = tables.listener_for_destination(downstream.local) else { return };
    let connection = ConnectionInfo {
        destination: downstream.local,
        source: downstream.peer,
        direct_source: downstream.peer,
        server_name: sent.authority.as_deref(),
        tls: sent.version == Version::HTTP_2,
        application_protocols: &["h2", "http/1.1"],
    };
    let manager = match listener.chain(&connection).map(|chain| &chain.action) {
        Some(ChainAction::Http(manager)) => manager,
        Some(ChainAction::Tcp(route)) => {
            route.cluster(connection.server_name, env);
            return;
        }
        Some(ChainAction::Close) | None => return,
    };
    let mut headers = sent.headers.clone();
    let mut arrived = Arrived {
        method: &sent.method,
        scheme: None,
        authority: sent.authority.as_deref(),
        path: &sent.path,
        version: sent.version,
        headers: &mut headers,
        downstream: &downstream,
    };
    let prepared = match forwarded::prepare(manager, &mut arrived, env) {
        Ok(prepared) => prepared,
        Err(reply) => {
            assert!(reply.status.as_u16() >= 300);
            return;
        }
    };
    let head = RequestHead {
        method: &sent.method,
        scheme: &prepared.scheme,
        authority: &prepared.authority,
        path: &prepared.path,
        version: sent.version,
        headers: &headers,
        downstream: &downstream,
        client: prepared.client,
        metadata: None,
    };
    let forward = match decide(tables, manager, &head, env, &mut NoTrace) {
        Decision::Reply(reply) => {
            let answer = reply.into_answer(head.is_grpc(), sent.method == Method::HEAD);
            assert!(answer.status.as_u16() >= 200);
            return;
        }
        Decision::Forward(forward) => forward,
    };
    let context =
        PickContext { original_destination: Some(downstream.local), ..PickContext::default() };
    if forward.cluster.pick(&context, env).is_err() {
        assert_eq!(forward.failure(UpstreamFailure::NoHealthyUpstream).status, 503);
    }
    let progress = Exchange { attempts: 1, ..Exchange::default() };
    let mut upstream_headers = headers.clone();
    let mut upstream = UpstreamHead {
        method: &sent.method,
        scheme: &prepared.scheme,
        path: head.path.into(),
        authority: head.authority.into(),
        headers: &mut upstream_headers,
    };
    forward.apply_request_headers(&mut upstream, &head, &progress);
    let mut answer = Headers::new();
    forward.apply_response_headers(&mut answer, &head, &progress);
    forwarded::finish(manager, &mut answer, &headers);
    if let Some(mut retries) = RetryState::new(&forward, &head) {
        let outcome =
            AttemptOutcome::Reset { reason: ResetReason::ConnectFailure, request_sent: false };
        retries.outcome(&outcome, env);
    }
    assert_eq!(forward.cluster.state.retries.get(), 0, "a retry is given back");
}

proptest! {
    #[test]
    fn nothing_panics_and_everything_is_answered(
        damages in [damages(), damages(), damages(), damages()],
        sent in requests(),
        seed in any::<u64>(),
    ) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut chance = || rng.u64(..);
        let mut env = Env { now: Duration::ZERO, unix_time: Duration::from_secs(seed % 4_000_000_000), rng: &mut chance };
        let live = LiveState::new();
        let whole = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        let (first, _) = Tables::apply(&Tables::empty(), &rich_set(&whole), &live);
        exchange(&first, &sent, &mut env);
        let (second, _) = Tables::apply(&first, &rich_set(&damages), &live);
        exchange(&second, &sent, &mut env);
        // A resource that is broken now stays in force in its last good form.
        assert!(second.listener("l").is_some());
        assert!(second.cluster("one").is_some());
        assert!(second.route_table("80").is_some());
    }
}
