//! How names of headers are spelled over HTTP/1: as they came, where the mesh wants that
//! (`proxyHeaders.preserveHttp1HeaderCase`).

use pilotage_model::Mesh;
use pilotage_proto::envoy::config::core::v3::TypedExtensionConfig;
use pilotage_proto::envoy::config::core::v3::http1_protocol_options::HeaderKeyFormat;
use pilotage_proto::envoy::config::core::v3::http1_protocol_options::header_key_format::HeaderFormat;
use pilotage_proto::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use pilotage_proto::pack;

/// The format of names in messages that are read; nothing when they go on in lower case.
pub(crate) fn format(mesh: &Mesh) -> Option<HeaderKeyFormat> {
    let headers = mesh.proxy_config()?.proxy_headers.as_ref()?;
    (headers.preserve_http1_header_case == Some(true)).then(|| HeaderKeyFormat {
        header_format: Some(HeaderFormat::StatefulFormatter(TypedExtensionConfig {
            name: "preserve_case".to_owned(),
            typed_config: Some(pack(&PreserveCaseFormatterConfig::default())),
        })),
    })
}
