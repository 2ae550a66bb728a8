//! Rules of connection pools.

use super::checker::Checker;
use crate::destination_rule::{ConnectionPoolSettings, H2UpgradePolicy, HttpSettings, TcpSettings};
use crate::duration::Duration;
use crate::field_path::FieldPath;

pub(super) fn check(settings: &ConnectionPoolSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    if settings.http.is_none() && settings.tcp.is_none() {
        checker.error(at, "a connection pool has to say something", "needs `tcp` or `http`");
    }
    if let Some(http) = &settings.http {
        check_http(http, &at.field("http"), checker);
    }
    if let Some(tcp) = &settings.tcp {
        check_tcp(tcp, &at.field("tcp"), checker);
    }
}

fn check_http(http: &HttpSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    for (field, value) in [
        ("http1MaxPendingRequests", http.http1_max_pending_requests),
        ("http2MaxRequests", http.http2_max_requests),
        ("maxRequestsPerConnection", http.max_requests_per_connection),
        ("maxRetries", http.max_retries),
        ("maxConcurrentStreams", http.max_concurrent_streams),
    ] {
        checker.not_negative(&at.field(field), value);
    }
    checker.duration(&at.field("idleTimeout"), http.idle_timeout);
    if http.h2_upgrade_policy == H2UpgradePolicy::Upgrade && http.use_client_protocol {
        checker.error(
            &at.field("useClientProtocol"),
            "either the client's protocol is kept or connections are upgraded to HTTP/2",
            "not beside `h2UpgradePolicy: UPGRADE`",
        );
    }
    if let Some(keep_alive) = &http.http2_keep_alive {
        let at = at.field("http2KeepAlive");
        for (field, value) in [("interval", keep_alive.interval), ("timeout", keep_alive.timeout)] {
            if value.is_none() {
                checker.error(&at, format!("HTTP/2 keep-alive needs `{field}`"), "incomplete");
            }
            checker.duration(&at.field(field), value);
        }
    }
}

fn check_tcp(tcp: &TcpSettings, at: &FieldPath, checker: &mut Checker<'_>) {
    checker.not_negative(&at.field("maxConnections"), tcp.max_connections);
    checker.duration(&at.field("connectTimeout"), tcp.connect_timeout);
    checker.duration(&at.field("maxConnectionDuration"), tcp.max_connection_duration);
    if let Some(keepalive) = &tcp.tcp_keepalive {
        let at = at.field("tcpKeepalive");
        checker.duration(&at.field("time"), keepalive.time);
        checker.duration(&at.field("interval"), keepalive.interval);
    }
    // Zero means never here.
    let idle = tcp.idle_timeout.filter(|timeout| *timeout != Duration::ZERO);
    checker.duration(&at.field("idleTimeout"), idle);
}
