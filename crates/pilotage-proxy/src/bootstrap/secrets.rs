//! Certificates and authorities that TLS contexts name: each must be among the static secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_engine::FieldError;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::core::v3::TransportSocket;
use pilotage_proto::envoy::config::core::v3::transport_socket::ConfigType;
use pilotage_proto::envoy::config::listener::v3::Listener;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use pilotage_proto::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, Secret, UpstreamTlsContext,
};
use pilotage_proto::{Name as _, type_name, unpack};

type Secrets = BTreeMap<String, Arc<Secret>>;

/// What the transport sockets of `listener` name in vain.
pub(super) fn missing_for_listener(listener: &Listener, secrets: &Secrets) -> Vec<FieldError> {
    let chains = listener.filter_chains.iter().enumerate();
    let chains = chains.map(|(index, chain)| (format!("filter_chains[{index}]"), chain));
    let default = listener.default_filter_chain.iter();
    let default = default.map(|chain| ("default_filter_chain".to_owned(), chain));
    chains
        .chain(default)
        .flat_map(|(place, chain)| {
            let missing = missing(chain.transport_socket.as_ref(), secrets);
            missing.into_iter().map(move |error| error.within(&place))
        })
        .collect()
}

/// What the transport sockets of `cluster` name in vain.
pub(super) fn missing_for_cluster(cluster: &Cluster, secrets: &Secrets) -> Vec<FieldError> {
    let mut found = missing(cluster.transport_socket.as_ref(), secrets);
    for (index, choice) in cluster.transport_socket_matches.iter().enumerate() {
        let place = format!("transport_socket_matches[{index}]");
        let missing = missing(choice.transport_socket.as_ref(), secrets);
        found.extend(missing.into_iter().map(|error| error.within(&place)));
    }
    found
}

fn missing(socket: Option<&TransportSocket>, secrets: &Secrets) -> Vec<FieldError> {
    let Some(ConfigType::TypedConfig(any)) = socket.and_then(|socket| socket.config_type.as_ref())
    else {
        return Vec::new();
    };
    // What cannot be read is told by the engine.
    let common = if type_name(any) == DownstreamTlsContext::full_name() {
        unpack::<DownstreamTlsContext>(any).ok().and_then(|context| context.common_tls_context)
    } else if type_name(any) == UpstreamTlsContext::full_name() {
        unpack::<UpstreamTlsContext>(any).ok().and_then(|context| context.common_tls_context)
    } else {
        None
    };
    let named = common.as_ref().map(names).unwrap_or_default();
    named
        .into_iter()
        .filter(|(_, name)| !secrets.contains_key(*name))
        .map(|(field, name)| {
            let message =
                format!("there is no secret `{name}`: write it under static_resources.secrets");
            let within = "transport_socket.typed_config.common_tls_context";
            FieldError::new(field, message).within(within)
        })
        .collect()
}

/// Fields that name secrets, and the names.
fn names(common: &CommonTlsContext) -> Vec<(String, &str)> {
    let certificates = common.tls_certificate_sds_secret_configs.iter().enumerate();
    let mut found: Vec<(String, &str)> = certificates
        .map(|(index, config)| {
            (format!("tls_certificate_sds_secret_configs[{index}]"), config.name.as_str())
        })
        .collect();
    match &common.validation_context_type {
        Some(ValidationContextType::ValidationContextSdsSecretConfig(config)) => {
            found.push(("validation_context_sds_secret_config".to_owned(), &config.name));
        }
        Some(ValidationContextType::CombinedValidationContext(combined)) => {
            let config = combined.validation_context_sds_secret_config.as_ref();
            found.extend(config.map(|config| {
                let field = "combined_validation_context.validation_context_sds_secret_config";
                (field.to_owned(), config.name.as_str())
            }));
        }
        Some(ValidationContextType::ValidationContext(_)) | None => {}
    }
    found
}
