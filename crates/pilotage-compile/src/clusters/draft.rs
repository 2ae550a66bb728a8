//! A cluster under construction.

use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use pilotage_proto::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use pilotage_proto::envoy::extensions::upstreams::http::v3::http_protocol_options::UpstreamProtocolOptions;
use pilotage_proto::pack;

use super::protocol_options;

/// The extension under which HTTP options of a cluster travel.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A cluster whose HTTP options are not packed yet.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The rest of it.
    pub(super) cluster: Cluster,
    /// Its HTTP options, once something needs them.
    pub(super) http: Option<HttpProtocolOptions>,
}

impl Draft {
    /// A cluster of this name that finds its endpoints in this way.
    pub(super) fn new(name: String, discovery: DiscoveryType) -> Self {
        let mut draft = Self::default();
        draft.cluster.name = name;
        draft.set_discovery(discovery);
        draft
    }

    /// Changes how endpoints are found.
    pub(super) fn set_discovery(&mut self, discovery: DiscoveryType) {
        self.cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(discovery as i32));
    }

    /// How endpoints are found; nothing for extensions.
    pub(super) fn discovery(&self) -> Option<DiscoveryType> {
        match self.cluster.cluster_discovery_type {
            Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(kind).ok(),
            _ => None,
        }
    }

    /// Whether traffic goes to the address that the client dialled.
    pub(super) fn is_original_destination(&self) -> bool {
        self.discovery() == Some(DiscoveryType::OriginalDst)
    }

    /// The HTTP options, to be changed.
    pub(super) fn http(&mut self) -> &mut HttpProtocolOptions {
        self.http.get_or_insert_default()
    }

    /// Whether HTTP/2 is spoken without asking.
    pub(super) fn is_explicit_http2(&self) -> bool {
        let options = self.http.as_ref().and_then(|http| http.upstream_protocol_options.as_ref());
        match options {
            Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
                protocol_options::is_http2(explicit)
            }
            _ => false,
        }
    }

    /// The finished cluster.
    pub(super) fn finish(mut self) -> Cluster {
        if let Some(mut http) = self.http {
            // Envoy demands a choice of protocol once there are options.
            http.upstream_protocol_options.get_or_insert_with(protocol_options::http1);
            let options = &mut self.cluster.typed_extension_protocol_options;
            options.insert(HTTP_OPTIONS.to_owned(), pack(&http));
        }
        self.cluster
    }
}
