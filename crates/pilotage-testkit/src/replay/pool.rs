//! What a cluster says about connections and limits, in words.

use std::time::Duration;

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::tcp_route::TcpRoute;
use serde_json::{Map, Value};

/// Every setting that is set, by what it limits.
pub(super) fn told(settings: &ClusterSettings) -> Value {
    let limits = &settings.circuit_breakers;
    let time = |time: Option<Duration>| time.map(|time| format!("{time:?}"));
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let limit = |limit: u32| number(Some(limit).filter(|limit| *limit != u32::MAX));
    let keepalive = settings.tcp_keepalive.unwrap_or_default();
    let budget = limits.retry_budget;
    let facts = [
        ("connections", limit(limits.max_connections)),
        ("pending requests", limit(limits.max_pending_requests)),
        ("requests", limit(limits.max_requests)),
        ("retries", limit(limits.max_retries).filter(|_| budget.is_none())),
        ("retries in percent of requests", budget.map(|budget| budget.percent.to_string())),
        ("retries at least", budget.map(|budget| budget.min_concurrency.to_string())),
        ("retries counted over", time(budget.and_then(|budget| budget.interval))),
        ("connect timeout", time(Some(settings.connect_timeout))),
        ("idle timeout", time(settings.idle_timeout)),
        ("age of a connection", time(settings.max_connection_duration)),
        ("requests per connection", number(settings.max_requests_per_connection)),
        ("keepalive probes", number(keepalive.probes)),
        ("keepalive after", time(keepalive.time)),
        ("keepalive every", time(keepalive.interval)),
        ("protocol", Some(format!("{:?}", settings.protocol))),
        ("streams of a connection", number(settings.http2.max_concurrent_streams)),
        ("ping every", time(settings.http2.keepalive.map(|pings| pings.interval))),
        ("ping timeout", time(settings.http2.keepalive.map(|pings| pings.timeout))),
        ("names are asked for again after", time(Some(settings.dns.refresh))),
        ("PROXY protocol", settings.proxy_protocol.map(|version| format!("{version:?}"))),
    ];
    let told = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Value::Object(told.collect::<Map<_, _>>())
}

/// The same for bytes, whose connections `route` limits as well.
pub(super) fn told_of_bytes(settings: &ClusterSettings, route: &TcpRoute) -> Value {
    let mut told = told(settings);
    let time = |time: Duration| Value::from(format!("{time:?}"));
    told["idle timeout"] = route.idle_timeout.map_or(Value::Null, time);
    told["age of a connection"] = route.max_connection_duration.map_or(Value::Null, time);
    told
}
