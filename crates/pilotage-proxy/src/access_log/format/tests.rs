use std::time::{Duration, UNIX_EPOCH};

use http::{Method, Version};
use pilotage_engine::response_flag::ResponseFlags;

use super::super::{Captured, LogFormat, Record};
use super::{Format, FormatError, RenderTime};

fn record() -> Record {
    Record {
        duration: Duration::from_millis(7),
        protocol: Some(Version::HTTP_11),
        status: 503,
        flags: ResponseFlags::NO_CLUSTER,
        details: "cluster_not_found".into(),
        termination: None,
        transport_failure: None,
        bytes_received: 3,
        bytes_sent: 0,
        upstream_host: None,
        upstream_local: None,
        upstream_protocol: None,
        upstream_tls: None,
        grpc_status: Some(7),
        upstream_cluster: Some("outbound|80|v3|a".into()),
        downstream_local: "127.0.0.1:15001".parse().unwrap(),
        downstream_remote: "127.0.0.1:4321".parse().unwrap(),
        server_name: None,
        tls: None,
        route_name: Some("default".into()),
        origin: Some("VirtualService default/a spec.http[0]".into()),
        attempts: 1,
        captured: Captured {
            method: Method::GET,
            path: Some("/x?y=1".parse().unwrap()),
            authority: Some("a".parse().unwrap()),
            request: vec![None, None, Some("a \"b\"".parse().unwrap()), None],
            response: Vec::new(),
        },
    }
}

fn render(format: &LogFormat) -> String {
    let mut out = Vec::new();
    let time = RenderTime(UNIX_EPOCH + Duration::from_millis(1_709_210_096_130));
    Format::new(format, "box").unwrap().render(&record(), time, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn istios_default_text() {
    assert_eq!(
        render(&LogFormat::Text),
        "[2024-02-29T12:34:56.123Z] \"GET /x?y=1 HTTP/1.1\" 503 NC cluster_not_found - \"-\" 3 0 \
         7 - \"-\" \"a \"b\"\" \"-\" \"a\" \"-\" outbound|80|v3|a - 127.0.0.1:15001 127.0.0.1:4321 - \
         default \"VirtualService default/a spec.http[0]\"\n"
    );
}

#[test]
fn json_is_json_with_numbers_and_nulls() {
    let text = render(&LogFormat::Json);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json.get("response_code").unwrap(), 503);
    assert_eq!(json.get("user_agent").unwrap(), "a \"b\"");
    assert!(json.get("upstream_host").unwrap().is_null());
    assert_eq!(json.get("origin").unwrap(), "VirtualService default/a spec.http[0]");
}

#[test]
fn custom_formats_and_their_mistakes() {
    let custom = |text: &str| LogFormat::Custom(text.to_owned());
    assert_eq!(render(&custom("100%% %REQ(:METHOD)% %REQ(nope?:authority)%\n")), "100% GET a\n");
    for (format, printed) in [
        ("%REQ(:AUTHORITY):1%%START_TIME(%Y/%m)%", "a2024/02"),
        ("%REQ(:PATH):3%|%HOSTNAME%", "/x?|box"),
        ("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)%", "PermissionDenied PERMISSION_DENIED"),
        ("%GRPC_STATUS_NUMBER% %DOWNSTREAM_LOCAL_PORT%", "7 15001"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "127.0.0.1"),
        ("%DOWNSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT%", "- -"),
        ("%DYNAMIC_METADATA(istio.mixer:status)%", "-"),
    ] {
        assert_eq!(render(&custom(format)), printed, "{format}");
    }
    let error = |text: &str| Format::new(&custom(text), "box").unwrap_err();
    assert_eq!(error("%NOPE%"), FormatError::Unsupported("NOPE".into()));
    assert_eq!(error("a%B"), FormatError::Unclosed(1));
    assert_eq!(error("%REQ(a b)%"), FormatError::HeaderName("a b".into()));
}
