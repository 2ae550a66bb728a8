//! What a cluster says about itself: its service, and the object behind its policy.

use pilotage_config::destination_rule::ClientTlsMode;
use pilotage_model::Origin;
use pilotage_model::service::Service;
use pilotage_proto::Struct;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::prost_types::value::Kind;
use pilotage_proto::prost_types::{ListValue, Value};

use crate::origin;

/// The metadata of a service's cluster.
pub(super) fn of_service(service: &Service) -> Metadata {
    let mut istio = Struct::default();
    let one = fields([
        ("host", text(service.host.as_str())),
        ("name", text(&service.name)),
        ("namespace", text(&service.namespace)),
    ]);
    let one = Value { kind: Some(Kind::StructValue(one)) };
    let all = ListValue { values: vec![one] };
    istio.fields.insert("services".to_owned(), Value { kind: Some(Kind::ListValue(all)) });
    if service.mesh_external {
        let yes = Value { kind: Some(Kind::BoolValue(true)) };
        istio.fields.insert("external".to_owned(), yes);
    }
    Metadata { filter_metadata: [("istio".to_owned(), istio)].into(), ..Metadata::default() }
}

/// Names the destination rule behind the policy, and the field of the subset.
pub(super) fn add_rule(
    metadata: &mut Metadata,
    rule: &Origin,
    subset: Option<(&str, &Origin)>,
    tls: Option<ClientTlsMode>,
) {
    let field = subset.map_or(rule, |(_, origin)| origin);
    let named = origin::metadata(rule, field, None);
    for (filter, values) in named.filter_metadata {
        metadata.filter_metadata.entry(filter).or_default().fields.extend(values.fields);
    }
    let istio = metadata.filter_metadata.entry("istio".to_owned()).or_default();
    if let Some((name, _)) = subset {
        istio.fields.insert("subset".to_owned(), text(name));
    }
    if matches!(tls, Some(ClientTlsMode::Simple | ClientTlsMode::Mutual)) {
        // Tells the ALPN filter that the cluster negotiates with somebody outside of the mesh.
        istio.fields.insert("alpn_override".to_owned(), text("false"));
    }
}

fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.to_owned())) }
}

fn fields<const N: usize>(values: [(&str, Value); N]) -> Struct {
    Struct { fields: values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
}
