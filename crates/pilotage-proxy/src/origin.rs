//! Where a route comes from: the object and field that its YAML was written in.

use std::sync::Arc;

use pilotage_engine::route::RouteEntry;
use pilotage_proto::prost_types::value::Kind;
use pilotage_proto::prost_types::{Struct, Value};

/// The origin of `route` in words: what the compiler noted under `pilotage` in the route's metadata (`object` and the
/// `path` of the field in it), else the object that Istio notes under `istio`.
pub(crate) fn of_route(route: &RouteEntry) -> Option<Arc<str>> {
    let metadata = route.metadata()?.filter_metadata;
    if let Some(ours) = metadata.get("pilotage")
        && let Some(object) = text(ours, "object")
    {
        let path = text(ours, "path").unwrap_or_default();
        return Some(format!("{object} {path}").trim_end().into());
    }
    text(metadata.get("istio")?, "config").map(Arc::from)
}

fn text<'s>(fields: &'s Struct, key: &str) -> Option<&'s str> {
    match fields.fields.get(key) {
        Some(Value { kind: Some(Kind::StringValue(text)) }) => Some(text),
        _ => None,
    }
}
