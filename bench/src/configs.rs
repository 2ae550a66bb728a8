//! One routing task in four languages.
//!
//! [`HOSTS`] virtual hosts of three rules each: a prefix rule, a prefix rule that also wants a header, and the rest.
//! The requests of the load ask for a host in the middle of the list and fall through to the last rule, so that
//! every proxy has to look.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// How much of a mesh's usual configuration the routes carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Features {
    /// Routing only.
    Bare,
    /// Retries, outlier detection, circuit breakers, and two subsets that share the traffic.
    Full,
}

/// Virtual hosts.
pub(crate) const HOSTS: usize = 100;
/// The host that the load asks for.
pub(crate) const ASKED_HOST: &str = "svc-57.bench.test";
/// The path that the load asks for.
pub(crate) const ASKED_PATH: &str = "/items/4711?full=true";

fn host(index: usize) -> String {
    format!("svc-{index}.bench.test")
}

/// The server behind the proxies: 128 bytes from memory.
pub(crate) fn upstream(port: u16, pid: &Path) -> String {
    let body = "x".repeat(128);
    format!(
        "daemon off; worker_processes 1; pid {}; error_log stderr error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h;\n\
         server {{ listen 127.0.0.1:{port} reuseport; location / {{ default_type text/plain; return 200 \"{body}\"; }} }} }}\n",
        pid.display()
    )
}

pub(crate) fn nginx(port: u16, upstream: u16, pid: &Path) -> String {
    let mut text = format!(
        "daemon off; worker_processes 1; pid {}; error_log stderr error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h; server_names_hash_bucket_size 128;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         upstream backend {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}\n",
        pid.display()
    );
    for index in 0..HOSTS {
        // `http2` on a plain listener takes HTTP/1.1 as well from 1.25 on; before, the first bytes decide.
        let _infallible = writeln!(
            text,
            "server {{ listen 127.0.0.1:{port}; server_name {}; location /api/v1/ {{ proxy_pass http://backend; }} \
             location /api/ {{ if ($http_x_canary) {{ return 404; }} proxy_pass http://backend; }} \
             location / {{ proxy_pass http://backend; }} }}",
            host(index)
        );
    }
    text.push_str("}\n");
    text
}

/// The hosts go through a map, as everybody with many of them writes it.
pub(crate) fn haproxy(port: u16, h2_port: u16, upstream: u16, map: &Path) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n  \
         timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n\
         frontend in\n  bind 127.0.0.1:{port}\n  bind 127.0.0.1:{h2_port} proto h2\n  \
         use_backend b if {{ hdr(host),lower,map({map}) -m found }} {{ path_beg /api/v1/ }}\n  \
         use_backend b if {{ hdr(host),lower,map({map}) -m found }} {{ path_beg /api/ }} !{{ hdr(x-canary) -m found }}\n  \
         use_backend b if {{ hdr(host),lower,map({map}) -m found }}\n\
         backend b\n  server s1 127.0.0.1:{upstream}\n",
        map = map.display()
    )
}

/// The hosts that HAProxy's map holds.
pub(crate) fn haproxy_map() -> String {
    (0..HOSTS).map(|index| format!("{} b\n", host(index))).collect()
}

pub(crate) fn envoy(features: Features, port: u16, upstream: u16) -> String {
    let forward = match features {
        Features::Bare => json!({"cluster": "backend", "timeout": "0s"}),
        Features::Full => json!({
            "weighted_clusters": {"clusters": [
                {"name": "backend", "weight": 50}, {"name": "backend-v2", "weight": 50}]},
            "timeout": "0s",
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,unavailable,cancelled,503",
                "num_retries": 2,
                "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
                "host_selection_retry_max_attempts": "5",
            },
        }),
    };
    let virtual_host = |index: usize| {
        json!({
            "name": host(index),
            "domains": [host(index)],
            "routes": [
                {"match": {"prefix": "/api/v1/"}, "route": forward},
                {"match": {"prefix": "/api/", "headers": [
                    {"name": "x-canary", "present_match": true, "invert_match": true}]}, "route": forward},
                {"match": {"prefix": "/"}, "route": forward},
            ]
        })
    };
    let hosts: Vec<Value> = (0..HOSTS).map(virtual_host).collect();
    let extensions = "type.googleapis.com/envoy.extensions";
    let manager = json!({
        "@type": format!("{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "codec_type": "AUTO",
        "route_config": {"name": "routes", "ignore_port_in_host_matching": true, "virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": format!("{extensions}.filters.http.router.v3.Router")}}],
    });
    let address =
        |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let cluster = |name: &str| {
        let mut cluster = json!({
            "name": name,
            "type": "STATIC",
            "lb_policy": "LEAST_REQUEST",
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]},
        });
        if features == Features::Full
            && let Some(cluster) = cluster.as_object_mut()
        {
            let outlier_detection = json!({
                "consecutive_5xx": 5, "interval": "10s", "base_ejection_time": "30s", "max_ejection_percent": 50});
            let circuit_breakers = json!({"thresholds": [{
                "max_connections": 1000, "max_pending_requests": 1000, "max_requests": 10000, "max_retries": 3,
                "track_remaining": true}]});
            cluster.insert("outlier_detection".to_owned(), outlier_detection);
            cluster.insert("circuit_breakers".to_owned(), circuit_breakers);
        }
        cluster
    };
    let mut clusters = vec![cluster("backend")];
    if features == Features::Full {
        clusters.push(cluster("backend-v2"));
    }
    let config = json!({
        "static_resources": {
            "listeners": [{
                "name": "in",
                "address": address(port),
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
            }],
            "clusters": clusters,
        }
    });
    config.to_string()
}

/// The same for Pilotage: a gateway, a service and one VirtualService per host.
pub(crate) fn mesh(features: Features, port: u16, upstream: u16) -> String {
    let mut text = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: bench}}\n\
         spec:\n  selector: {{istio: bench}}\n  servers:\n  - port: {{number: {port}, name: http, protocol: HTTP}}\n    hosts: [\"*\"]\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: backend}}\n\
         spec:\n  hosts: [backend.bench.test]\n  resolution: STATIC\n  location: MESH_EXTERNAL\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints:\n  - {{address: 127.0.0.1, ports: {{http: {upstream}}}, labels: {{version: v1}}}}\n"
    );
    if features == Features::Full {
        let _infallible = write!(
            text,
            "  - {{address: 127.0.0.1, ports: {{http: {upstream}}}, labels: {{version: v2}}}}\n\
             ---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: backend}}\n\
             spec:\n  host: backend.bench.test\n  subsets:\n  \
             - {{name: v1, labels: {{version: v1}}}}\n  - {{name: v2, labels: {{version: v2}}}}\n  \
             trafficPolicy:\n    \
             outlierDetection: {{consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 50}}\n    \
             connectionPool:\n      tcp: {{maxConnections: 1000}}\n      \
             http: {{http1MaxPendingRequests: 1000, http2MaxRequests: 10000, maxRetries: 3}}\n"
        );
    }
    let to = match features {
        Features::Bare => "route: [{destination: {host: backend.bench.test, port: {number: 80}}}]",
        Features::Full => {
            "retries: {attempts: 2, retryOn: \"connect-failure,refused-stream,unavailable,cancelled,503\"}, route: [\
             {destination: {host: backend.bench.test, subset: v1, port: {number: 80}}, weight: 50}, \
             {destination: {host: backend.bench.test, subset: v2, port: {number: 80}}, weight: 50}]"
        }
    };
    for index in 0..HOSTS {
        let _infallible = write!(
            text,
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: svc-{index}}}\n\
             spec:\n  hosts: [{}]\n  gateways: [bench]\n  http:\n  \
             - {{match: [{{uri: {{prefix: /api/v1/}}}}], {to}}}\n  \
             - {{match: [{{uri: {{prefix: /api/}}, withoutHeaders: {{x-canary: {{}}}}}}], {to}}}\n  \
             - {{{to}}}\n",
            host(index)
        );
    }
    text
}
