use pilotage_engine::LiveState;
use pilotage_proto::json;
use serde_json::{Value, json};

use super::Bootstrap;
use crate::access_log::{LogFormat, LogTarget};

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const FILE: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

fn bootstrap() -> Value {
    json!({
        "node": {"id": "me", "cluster": "mine"},
        "admin": {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}}},
        "staticResources": {
            "listeners": [{
                "address": {"socketAddress": {"address": "0.0.0.0", "portValue": 0}},
                "filterChains": [{"filters": [{"name": "http", "typedConfig": {
                    "@type": MANAGER,
                    "statPrefix": "x",
                    "accessLog": [{"name": "log", "typedConfig": {"@type": FILE, "path": "/dev/stdout", "format": "x\n"}}],
                    "routeConfig": {"virtualHosts": [{"name": "all", "domains": ["*"], "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "a"}}
                    ]}]},
                    "httpFilters": [{"name": "envoy.filters.http.router", "typedConfig": {"@type": ROUTER}}],
                }}]}],
            }],
            "clusters": [{"name": "a", "type": "STATIC", "connectTimeout": "1s"}],
        },
    })
}

fn problems(value: &Value) -> Vec<String> {
    let (bootstrap, mut problems) = Bootstrap::read(&json::from_value(value).unwrap());
    let (_, refused) = bootstrap.tables(&LiveState::new());
    problems.extend(refused);
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn static_resources_become_tables() {
    let (bootstrap, problems) = Bootstrap::read(&json::from_value(&bootstrap()).unwrap());
    assert_eq!(problems, []);
    let (tables, refused) = bootstrap.tables(&LiveState::new());
    assert_eq!(refused, []);
    assert!(tables.listener("listeners[0]").is_some());
    assert!(tables.cluster("a").is_some());
    assert_eq!(bootstrap.admin_address, Some("127.0.0.1:0".parse().unwrap()));
    assert_eq!(bootstrap.node.id, "me");
    let log = &bootstrap.access_log;
    assert!(matches!(log.target, Some(LogTarget::Stdout)));
    assert!(matches!(&log.format, LogFormat::Custom(format) if format == "x\n"));
    let wildcard = "0.0.0.0:80".parse().unwrap();
    assert_eq!((bootstrap.proxy_config().bind)(wildcard), wildcard);
}

#[test]
fn secrets_and_formats_may_stand_elsewhere() {
    let mut changed = bootstrap();
    changed["staticResources"]["secrets"] = json!([
        {"name": "roots", "validationContext": {"trustedCa": {"inlineString": "pem"}}},
    ]);
    changed["staticResources"]["clusters"][0]["transportSocket"] = json!({"name": "tls", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "commonTlsContext": {"validationContextSdsSecretConfig": {"name": "roots"}},
    }});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "%PROTOCOL%\n").unwrap();
    changed["staticResources"]["listeners"][0]["filterChains"][0]["filters"][0]["typedConfig"]["accessLog"]
        [0]["typedConfig"] = json!({
        "@type": FILE,
        "path": "/dev/stdout",
        "logFormat": {"textFormatSource": {"filename": file.path()}},
    });
    assert_eq!(problems(&changed), [""; 0]);
    let (bootstrap, _) = Bootstrap::read(&json::from_value(&changed).unwrap());
    let (tables, _) = bootstrap.tables(&LiveState::new());
    assert!(tables.secret("roots").is_some());
    assert!(
        matches!(&bootstrap.access_log.format, LogFormat::Custom(format) if format == "%PROTOCOL%\n")
    );
}

/// Changes the sound bootstrap at one place, and expects one problem.
#[track_caller]
fn refused(place: &str, value: Value, wanted: &str) {
    let mut changed = bootstrap();
    let (parent, field) = place.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap()[field] = value;
    let told = problems(&changed);
    assert!(told.len() == 1 && told[0].starts_with(wanted), "{told:#?}");
}

#[test]
fn what_is_not_done_is_told_with_its_place() {
    const HTTP: &str = "/staticResources/listeners/0/filterChains/0/filters/0/typedConfig";
    const PLACE: &str = "static_resources.listeners[0].filter_chains[0].filters[0]";
    refused(
        "/dynamicResources",
        json!({"adsConfig": {}}),
        "dynamic_resources.ads_config: there is",
    );
    refused(
        "/dynamicResources",
        json!({"ldsConfig": {"pathConfigSource": {"path": "/etc/lds.yaml"}}}),
        "dynamic_resources.lds_config.path_config_source: resources are not read from files: write those of `/etc/lds.yaml`",
    );
    refused("/admin/accessLogPath", json!("/tmp/x"), "admin.access_log_path: requests to admin");
    refused(
        "/staticResources/clusters/0/transportSocket",
        json!({"name": "tls", "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "commonTlsContext": {"validationContextSdsSecretConfig": {"name": "roots"}},
        }}),
        "static_resources.clusters[0].transport_socket.typed_config.common_tls_context.\
         validation_context_sds_secret_config: there is no secret `roots`",
    );
    refused(
        "/staticResources/clusters/0/type",
        json!("EDS"),
        "static_resources.clusters[0]: endpoints would come from",
    );
    refused(
        "/clusterManager",
        json!({"localClusterName": "b"}),
        "cluster_manager.local_cluster_name: there is no cluster `b`",
    );
    refused(
        "/staticResources/clusters/0/healthChecks",
        json!([{}]),
        "static_resources.clusters[0].health_checks: endpoints are not checked",
    );
    refused(
        &format!("{HTTP}/routeConfig/virtualHosts/0/routes/0/route"),
        json!({"cluster": "b"}),
        &format!(
            "{PLACE}.typed_config.route_config.virtual_hosts[0].routes[0].route.cluster: there is no cluster `b`"
        ),
    );
    refused(
        &format!("{HTTP}/httpFilters/0/name"),
        json!("envoy.filters.http.lua"),
        &format!("{PLACE}."),
    );
    refused(
        &format!("{HTTP}/accessLog/0/filter"),
        json!({"responseFlagFilter": {}}),
        &format!("{PLACE}.typed_config.access_log[0].filter: every request"),
    );
}

#[test]
fn the_local_cluster_needs_endpoints_from_the_start() {
    let mut value = bootstrap();
    value["node"]["locality"] = json!({"zone": "z"});
    value["clusterManager"] = json!({"localClusterName": "a"});
    assert_eq!(problems(&value), [""; 0]);
    let (bootstrap, _) = Bootstrap::read(&json::from_value(&value).unwrap());
    let local = bootstrap.resources.local_cluster.unwrap();
    assert_eq!((local.name.as_str(), local.locality.zone.as_str()), ("a", "z"));
    value["staticResources"]["clusters"][0]["type"] = json!("STRICT_DNS");
    let told = problems(&value);
    let wanted = "static_resources.clusters[0].type: zones do not count";
    assert!(told.len() == 1 && told[0].starts_with(wanted), "{told:#?}");
}

#[test]
fn names_are_unique() {
    let mut twice = bootstrap();
    let cluster = twice["staticResources"]["clusters"][0].clone();
    twice["staticResources"]["clusters"].as_array_mut().unwrap().push(cluster);
    assert_eq!(
        problems(&twice),
        ["static_resources.clusters[1].name: there is a cluster `a` already"]
    );
}

#[test]
fn routes_to_nowhere_may_be_allowed() {
    let mut allowed = bootstrap();
    let routes = allowed
        .pointer_mut(
            "/staticResources/listeners/0/filterChains/0/filters/0/typedConfig/routeConfig",
        )
        .unwrap();
    routes["validateClusters"] = json!(false);
    routes["virtualHosts"][0]["routes"][0]["route"]["cluster"] = json!("b");
    assert_eq!(problems(&allowed), [""; 0]);
}
