//! Where something compiled comes from: the compiler notes it as metadata, which nothing here decides by.

use pilotage_proto::Struct;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::prost_types::value::Kind;

use crate::route::RouteEntry;

/// The key of metadata under which our compiler notes origins.
const OURS: &str = "pilotage";
/// The key under which Istio's notes the object.
const ISTIOS: &str = "istio";

/// The object and field that something was compiled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The object: `VirtualService default/reviews`.
    pub object: String,
    /// The field: `spec.http[0].match[1]`; empty for the object as a whole.
    pub path: String,
    /// The object and field that delegated to it.
    pub via: Option<(String, String)>,
}

impl Origin {
    /// What the metadata of a route notes, which is kept encoded.
    #[must_use]
    pub fn of_route(metadata: &[u8]) -> Option<Self> {
        Self::noted(|key| Metadata::text_of_route(metadata, OURS, key))
    }

    /// What `metadata` notes.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let fields = metadata.filter_metadata.get(OURS)?;
        Self::noted(|key| text(fields, key))
    }

    fn noted<'m>(text: impl Fn(&str) -> Option<&'m str>) -> Option<Self> {
        let via = text("via").and_then(|via| {
            let (object, path) = via.rsplit_once(' ')?;
            Some((object.to_owned(), path.to_owned()))
        });
        let path = text("path").unwrap_or_default().to_owned();
        Some(Self { object: text("object")?.to_owned(), path, via })
    }

    /// The path of the rule, without that of a `match` block.
    #[must_use]
    pub fn rule(&self) -> &str {
        rule_path(&self.path)
    }

    /// The number of the `match` block, where there are several.
    #[must_use]
    pub fn block(&self) -> Option<usize> {
        let (_, block) = self.path.split_once(".match[")?;
        block.strip_suffix(']')?.parse().ok()
    }

    /// Object and path of the rule that delegated to it.
    #[must_use]
    pub fn delegating_rule(&self) -> Option<(&str, &str)> {
        self.via.as_ref().map(|(object, path)| (object.as_str(), rule_path(path)))
    }
}

impl RouteEntry {
    /// Where the route comes from; nothing where no object of Istio stands behind it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Origin::of_route(&self.metadata)
    }

    /// The same in words, object and field; of routes that Istio compiled the path of the object.
    #[must_use]
    pub fn origin_in_words(&self) -> Option<String> {
        match self.origin() {
            Some(origin) => {
                Some(format!("{} {}", origin.object, origin.path).trim_end().to_owned())
            }
            None => Metadata::text_of_route(&self.metadata, ISTIOS, "config").map(str::to_owned),
        }
    }
}

/// The path of a rule, of that of one of its `match` blocks too.
#[must_use]
pub fn rule_path(path: &str) -> &str {
    path.split_once(".match[").map_or(path, |(rule, _)| rule)
}

fn text<'s>(fields: &'s Struct, key: &str) -> Option<&'s str> {
    match &fields.fields.get(key)?.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::json;
    use serde_json::json;

    use super::*;

    #[test]
    fn object_field_and_delegation_are_read() {
        let metadata = json::from_value(&json!({"filterMetadata": {OURS: {
            "object": "VirtualService shop/part",
            "path": "spec.http[1].match[2]",
            "via": "VirtualService shop/whole spec.http[0].match[1]",
        }}}));
        let origin = Origin::of(&metadata.unwrap()).unwrap();
        assert_eq!((origin.rule(), origin.block()), ("spec.http[1]", Some(2)));
        let root = Some(("VirtualService shop/whole", "spec.http[0]"));
        assert_eq!(origin.delegating_rule(), root);
        assert_eq!(Origin::of(&Metadata::default()), None);
    }
}
