//! Header operations.

use pilotage_proto::envoy::config::core::v3::HeaderValueOption;
use pilotage_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;

/// What is done to headers of requests and answers: for comparison, and for people. Empty when nothing is done.
pub(super) fn operations(
    request_add: &[HeaderValueOption],
    request_remove: &[String],
    response_add: &[HeaderValueOption],
    response_remove: &[String],
) -> (String, String) {
    let mut all = Vec::new();
    for (side, add, remove) in
        [("request", request_add, request_remove), ("response", response_add, response_remove)]
    {
        all.extend(remove.iter().map(|name| format!("removes {side} header {name}")));
        all.extend(add.iter().map(|option| addition(side, option)));
    }
    let text = all.join(", ");
    (text.clone(), text)
}

fn addition(side: &str, option: &HeaderValueOption) -> String {
    let (name, value) =
        option.header.as_ref().map_or(("", ""), |header| (&*header.key, &*header.value));
    let action = match option.append {
        Some(true) => HeaderAppendAction::AppendIfExistsOrAdd,
        Some(false) => HeaderAppendAction::OverwriteIfExistsOrAdd,
        None => option.append_action(),
    };
    let verb = match action {
        HeaderAppendAction::AppendIfExistsOrAdd => "adds",
        HeaderAppendAction::AddIfAbsent => "adds where missing",
        HeaderAppendAction::OverwriteIfExistsOrAdd => "sets",
        HeaderAppendAction::OverwriteIfExists => "replaces",
    };
    let even_empty = if option.keep_empty_value && value.is_empty() { " (empty)" } else { "" };
    format!("{verb} {side} header {name}: {value}{even_empty}")
}
