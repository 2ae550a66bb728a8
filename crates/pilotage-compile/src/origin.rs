//! Where a resource comes from, as metadata that Envoy carries and ignores.

use pilotage_model::origin::Origin;
use pilotage_proto::Struct;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::prost_types::Value;
use pilotage_proto::prost_types::value::Kind;

/// The key under which Istio names the object.
const ISTIO: &str = "istio";
/// The key under which we name object and field.
const PILOTAGE: &str = "pilotage";

/// The metadata of something that `object` asks for, in the field `origin` (of the same object, or of one that it
/// refers to, which `via` then says).
pub(crate) fn metadata(object: &Origin, origin: &Origin, via: Option<&Origin>) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.filter_metadata.insert(ISTIO.to_owned(), texts([("config", istio_path(object))]));
    let mut ours = vec![("object", origin.object.to_string()), ("path", origin.path.to_string())];
    ours.extend(via.map(|via| ("via", format!("{} {}", via.object, via.path))));
    metadata.filter_metadata.insert(PILOTAGE.to_owned(), texts(ours));
    metadata
}

fn texts<'k>(fields: impl IntoIterator<Item = (&'k str, String)>) -> Struct {
    let value = |text| Value { kind: Some(Kind::StringValue(text)) };
    Struct { fields: fields.into_iter().map(|(key, text)| (key.to_owned(), value(text))).collect() }
}

/// The path of an object as Istio writes it; always with version `v1`, whatever the object says.
pub(crate) fn istio_path(origin: &Origin) -> String {
    let object = &origin.object;
    format!(
        "/apis/networking.istio.io/v1/namespaces/{}/{}/{}",
        object.namespace,
        kebab(&object.kind),
        object.name
    )
}

/// `VirtualService` as `virtual-service`.
fn kebab(kind: &str) -> String {
    let mut out = String::with_capacity(kind.len() + 4);
    for (index, letter) in kind.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotage_config::ObjectRef;

    #[test]
    fn both_names_of_the_origin_are_there() {
        let object = Origin::of(ObjectRef {
            kind: "VirtualService".into(),
            namespace: "shop".into(),
            name: "cart".into(),
        });
        let metadata = metadata(&object, &object.at("spec.http[0]"), None);
        let text = |filter: &str, key: &str| match metadata.filter_metadata[filter].fields[key]
            .kind
            .clone()
        {
            Some(Kind::StringValue(text)) => text,
            _ => String::new(),
        };
        assert_eq!(
            text("istio", "config"),
            "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/cart"
        );
        assert_eq!(text("pilotage", "object"), "VirtualService shop/cart");
        assert_eq!(text("pilotage", "path"), "spec.http[0]");
    }
}
