//! `http[].directResponse`.

use pilotage_config::virtual_service::HttpDirectResponse;
use pilotage_proto::envoy::config::core::v3::DataSource;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::config::route::v3::DirectResponseAction;

/// The fixed answer.
pub(crate) fn direct_response(wanted: &HttpDirectResponse) -> DirectResponseAction {
    let body = wanted.body.as_ref().and_then(|body| match (&body.string, &body.bytes) {
        (Some(text), _) => Some(Specifier::InlineString(text.clone())),
        (None, Some(bytes)) => Some(Specifier::InlineBytes(bytes.0.clone())),
        (None, None) => None,
    });
    DirectResponseAction {
        status: wanted.status,
        body: body.map(|specifier| DataSource { specifier: Some(specifier) }),
    }
}
