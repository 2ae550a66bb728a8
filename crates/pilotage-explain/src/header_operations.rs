//! `headers`: what a rule, or an entry of it, changes in requests and responses.

use pilotage_config::FieldPath;
use pilotage_config::virtual_service::{HeaderOperations, Headers};
use serde_json::json;

use crate::explanation::Fact;
use crate::places::Places;

/// One fact for each operation under `path`, in the order in which they are applied.
pub(crate) fn of(
    places: Places<'_>,
    object: &str,
    path: &str,
    headers: Option<&Headers>,
) -> Vec<Fact> {
    let Some(headers) = headers else { return Vec::new() };
    let mut facts = Vec::new();
    for (side, operations) in [("request", &headers.request), ("response", &headers.response)] {
        let Some(operations) = operations else { continue };
        for (operation, name, value) in list(operations) {
            let text = match value {
                Some(value) => format!("{side}: {operation} {name}: {value}"),
                None => format!("{side}: {operation} {name}"),
            };
            let base = FieldPath::from(path).field("headers").field(side).field(operation);
            let field = if value.is_some() { base.field(name) } else { base };
            facts.push(Fact {
                topic: "headers".to_owned(),
                text,
                value: json!({
                    "side": side, "operation": operation, "name": name, "value": value,
                }),
                place: Some(places.place(object, field.as_str())),
                source: None,
            });
        }
    }
    facts
}

fn list(operations: &HeaderOperations) -> Vec<(&'static str, &str, Option<&str>)> {
    let set = operations.set.iter().map(|(n, v)| ("set", n.as_str(), Some(v.as_str())));
    let add = operations.add.iter().map(|(n, v)| ("add", n.as_str(), Some(v.as_str())));
    let remove = operations.remove.iter().map(|n| ("remove", n.as_str(), None));
    set.chain(add).chain(remove).collect()
}
