//! Access logs as the mesh asks for them (`accessLogFile` and its format).

use pilotage_config::mesh::AccessLogEncoding;
use pilotage_model::Mesh;
use pilotage_proto::envoy::config::accesslog::v3::{AccessLog, access_log::ConfigType};
use pilotage_proto::envoy::config::core::v3::SubstitutionFormatString;
use pilotage_proto::envoy::config::core::v3::substitution_format_string::Format;
use pilotage_proto::envoy::extensions::access_loggers::file::v3::{
    FileAccessLog, file_access_log::AccessLogFormat,
};
use pilotage_proto::prost_types::Value;
use pilotage_proto::prost_types::value::Kind;
use pilotage_proto::{Struct, pack};

/// The fields of a line in JSON when the mesh does not say.
const FIELDS: [(&str, &str); 24] = [
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("route_name", "%ROUTE_NAME%"),
];

/// A line of text when the mesh does not say.
const DEFAULT_LINE: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% \
    %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
    %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% \
    %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \
    \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" \
    %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% \
    %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/// The access logs of every listener; none without a file.
pub(crate) fn access_logs(mesh: &Mesh) -> Vec<AccessLog> {
    let config = mesh.config();
    if config.access_log_file.is_empty() {
        return Vec::new();
    }
    let format = match config.access_log_encoding {
        AccessLogEncoding::Text => Format::TextFormat(line(&config.access_log_format)),
        AccessLogEncoding::Json => Format::JsonFormat(fields(&config.access_log_format)),
    };
    let format = SubstitutionFormatString { format: Some(format), ..Default::default() };
    let file = FileAccessLog {
        path: config.access_log_file.clone(),
        access_log_format: Some(AccessLogFormat::LogFormat(format)),
    };
    vec![AccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        config_type: Some(ConfigType::TypedConfig(pack(&file))),
        ..AccessLog::default()
    }]
}

/// A line of text; the file needs each to end.
fn line(written: &str) -> String {
    match written {
        "" => DEFAULT_LINE.to_owned(),
        line if line.ends_with('\n') => line.to_owned(),
        line => format!("{line}\n"),
    }
}

/// The fields that `written` names, an object of texts in JSON; Istio's where it is empty or something else.
fn fields(written: &str) -> Struct {
    let text = |value: String| Value { kind: Some(Kind::StringValue(value)) };
    let Ok(map) = serde_json::from_str::<serde_json::Map<_, _>>(written) else {
        let fields = FIELDS.map(|(name, value)| (name.to_owned(), text(value.to_owned())));
        return Struct { fields: fields.into() };
    };
    let texts = map.into_iter().map(|(name, value)| match value {
        serde_json::Value::String(value) => (name, text(value)),
        other => (name, text(other.to_string())),
    });
    Struct { fields: texts.collect() }
}
