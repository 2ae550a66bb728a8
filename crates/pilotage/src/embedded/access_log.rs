//! Access logs as the settings of the mesh ask for them.

use std::path::Path;

use pilotage_config::mesh::{AccessLogEncoding, MeshConfig};
use pilotage_proxy::{AccessLogSettings, LogFormat, LogTarget};

/// What the settings of the mesh ask for. A proxy takes them when it starts.
pub(crate) fn settings(mesh: &MeshConfig) -> AccessLogSettings {
    let target = match mesh.access_log_file.as_str() {
        "" => None,
        file => Some(target(Path::new(file))),
    };
    let custom = !mesh.access_log_format.is_empty();
    if custom && mesh.access_log_encoding == AccessLogEncoding::Json {
        tracing::warn!("accessLogFormat is not built yet for JSON: the usual keys are logged");
    }
    let format = match mesh.access_log_encoding {
        AccessLogEncoding::Json => LogFormat::Json,
        AccessLogEncoding::Text if custom => LogFormat::Custom(mesh.access_log_format.clone()),
        AccessLogEncoding::Text => LogFormat::Text,
    };
    AccessLogSettings { target, format }
}

/// Where lines for `file` go.
pub(crate) fn target(file: &Path) -> LogTarget {
    match file.to_str() {
        Some("-" | "/dev/stdout") => LogTarget::Stdout,
        Some("/dev/stderr") => LogTarget::Stderr,
        _ => LogTarget::File(file.to_owned()),
    }
}
