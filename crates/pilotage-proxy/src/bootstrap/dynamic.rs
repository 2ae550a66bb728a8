//! Resources that something else than the file itself would bring.

use pilotage_engine::FieldError;
use pilotage_proto::envoy::config::bootstrap::v3::Bootstrap as Proto;
use pilotage_proto::envoy::config::core::v3::ConfigSource;
use pilotage_proto::envoy::config::core::v3::config_source::ConfigSourceSpecifier;

/// Names each source that the bootstrap asks for.
pub(super) fn refuse(proto: &Proto, problems: &mut Vec<FieldError>) {
    let Some(dynamic) = &proto.dynamic_resources else { return };
    for (field, source) in
        [("lds_config", &dynamic.lds_config), ("cds_config", &dynamic.cds_config)]
    {
        if let Some(source) = source {
            problems.push(of_source(source).within(field).within("dynamic_resources"));
        }
    }
    if dynamic.ads_config.is_some() {
        problems.push(FieldError::new("dynamic_resources.ads_config", CONTROL_PLANE));
    }
}

const CONTROL_PLANE: &str =
    "there is no client of control planes yet: write the resources under static_resources";

fn of_source(source: &ConfigSource) -> FieldError {
    let file = |path: &str| {
        let message = format!(
            "resources are not read from files: write those of `{path}` under static_resources"
        );
        FieldError::new("", message)
    };
    match &source.config_source_specifier {
        Some(ConfigSourceSpecifier::PathConfigSource(source)) => {
            file(&source.path).within("path_config_source")
        }
        Some(ConfigSourceSpecifier::Ads(_)) => FieldError::new("ads", CONTROL_PLANE),
        Some(ConfigSourceSpecifier::ApiConfigSource(_)) => {
            FieldError::new("api_config_source", CONTROL_PLANE)
        }
        None => FieldError::new("", CONTROL_PLANE),
    }
}
