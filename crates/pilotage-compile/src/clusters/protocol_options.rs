//! Which HTTP is spoken upstream.

use pilotage_config::destination_rule::{ConnectionPoolSettings, H2UpgradePolicy};
use pilotage_model::{Mesh, Protocol};
use pilotage_proto::envoy::config::core::v3::{Http1ProtocolOptions, Http2ProtocolOptions};
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
};

use super::draft::Draft;
use crate::header_names;

/// HTTP/1.1.
pub(super) fn http1() -> UpstreamProtocolOptions {
    let options = ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default());
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
        protocol_config: Some(options),
    })
}

/// HTTP/2 without asking.
fn http2() -> UpstreamProtocolOptions {
    let options = ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default());
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
        protocol_config: Some(options),
    })
}

/// What the client speaks.
pub(super) fn as_client() -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
        http_protocol_options: Some(Http1ProtocolOptions::default()),
        http2_protocol_options: Some(Http2ProtocolOptions::default()),
    })
}

/// Whether the explicit choice is HTTP/2.
pub(super) fn is_http2(explicit: &ExplicitHttpConfig) -> bool {
    matches!(explicit.protocol_config, Some(ProtocolConfig::Http2ProtocolOptions(_)))
}

/// The options of HTTP/2, where it is the explicit choice.
pub(super) fn http2_of(draft: &mut Draft) -> Option<&mut Http2ProtocolOptions> {
    match draft.http.as_mut()?.upstream_protocol_options.as_mut()? {
        UpstreamProtocolOptions::ExplicitHttpConfig(explicit) => {
            match &mut explicit.protocol_config {
                Some(ProtocolConfig::Http2ProtocolOptions(options)) => Some(options),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Chooses by what the port declares. A sidecar speaks to an undeclared port what its client speaks; a gateway, whose
/// clients negotiate, does not.
pub(super) fn by_port(draft: &mut Draft, protocol: Protocol, sidecar: bool) {
    if protocol.is_http2() {
        draft.http().upstream_protocol_options = Some(http2());
    } else if sidecar && protocol.is_auto() {
        draft.http().upstream_protocol_options = Some(as_client());
    }
}

/// Upgrades to HTTP/2 where the rule says so, or the mesh for declared HTTP ports; never where the client's protocol is
/// kept.
pub(super) fn upgrade(
    draft: &mut Draft,
    protocol: Protocol,
    pool: Option<&ConnectionPoolSettings>,
    mesh: &Mesh,
) {
    let wanted = pool.and_then(|pool| pool.http.as_ref()).map(|http| http.h2_upgrade_policy);
    let upgrade = match wanted.unwrap_or_default() {
        H2UpgradePolicy::Upgrade => true,
        H2UpgradePolicy::DoNotUpgrade => false,
        H2UpgradePolicy::Default => {
            protocol.is_http() && mesh.config().h2_upgrade_policy == H2UpgradePolicy::Upgrade
        }
    };
    if upgrade {
        draft.http().upstream_protocol_options.get_or_insert_with(http2);
    }
}

/// Answers go on with the names of their headers as they came, where the mesh wants that. Ports that carry no HTTP are
/// left alone.
pub(super) fn spell(draft: &mut Draft, protocol: Protocol, mesh: &Mesh) {
    let Some(format) = header_names::format(mesh) else { return };
    if draft.http.is_none() && !protocol.is_http() && !protocol.is_auto() {
        return;
    }
    let chosen = draft.http().upstream_protocol_options.get_or_insert_with(http1);
    let options = match chosen {
        UpstreamProtocolOptions::ExplicitHttpConfig(explicit) => {
            match &mut explicit.protocol_config {
                Some(ProtocolConfig::HttpProtocolOptions(options)) => Some(options),
                Some(ProtocolConfig::Http2ProtocolOptions(_)) | None => None,
            }
        }
        UpstreamProtocolOptions::UseDownstreamProtocolConfig(both) => {
            both.http_protocol_options.as_mut()
        }
        UpstreamProtocolOptions::AutoConfig(both) => both.http_protocol_options.as_mut(),
    };
    if let Some(options) = options {
        options.header_key_format = Some(format);
    }
}
