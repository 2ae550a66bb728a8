//! The service behind a cluster, as its metadata says.

use pilotage_proto::Struct;
use pilotage_proto::envoy::config::cluster::v3::Cluster as Proto;
use pilotage_proto::prost_types::value::Kind;

/// Names of a service: those that Istio notes under `istio` in a cluster's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceName {
    /// The full host name.
    pub host: String,
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
}

impl ServiceName {
    /// The first service of the metadata; `None` without any.
    pub(super) fn of(proto: &Proto) -> Option<Self> {
        let istio = proto.metadata.as_ref()?.filter_metadata.get("istio")?;
        let Some(Kind::ListValue(services)) = &istio.fields.get("services")?.kind else {
            return None;
        };
        let Some(Kind::StructValue(first)) = &services.values.first()?.kind else { return None };
        Some(Self {
            host: text(first, "host"),
            name: text(first, "name"),
            namespace: text(first, "namespace"),
        })
    }
}

fn text(fields: &Struct, key: &str) -> String {
    match fields.fields.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}
