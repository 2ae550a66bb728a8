//! `headers` of rules and destinations as Envoy's header operations.

use std::collections::BTreeMap;

use pilotage_config::virtual_service::{HeaderOperations, Headers};
use pilotage_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use pilotage_proto::envoy::config::core::v3::{HeaderValue, HeaderValueOption};

/// Header operations of one level.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Operations {
    /// Set and added to the request.
    pub request_add: Vec<HeaderValueOption>,
    /// Removed from the request.
    pub request_remove: Vec<String>,
    /// Set and added to the response.
    pub response_add: Vec<HeaderValueOption>,
    /// Removed from the response.
    pub response_remove: Vec<String>,
    /// What `Host` or `:authority` was set to: Envoy does not let headers do that, but has a field for it.
    pub authority: Option<String>,
}

impl Operations {
    /// Does what `further` asks for after what is here. The authority stays.
    pub(crate) fn append(&mut self, further: Self) {
        self.request_add.extend(further.request_add);
        self.request_remove.extend(further.request_remove);
        self.response_add.extend(further.response_add);
        self.response_remove.extend(further.response_remove);
    }
}

/// The operations that `headers` asks for: what is set comes before what is added, each by name.
pub(crate) fn operations(headers: Option<&Headers>) -> Operations {
    let request = headers.and_then(|headers| headers.request.as_ref());
    let response = headers.and_then(|headers| headers.response.as_ref());
    Operations {
        request_add: request.map(additions).unwrap_or_default(),
        request_remove: request.map(removals).unwrap_or_default(),
        response_add: response.map(additions).unwrap_or_default(),
        response_remove: response.map(removals).unwrap_or_default(),
        authority: request.and_then(authority),
    }
}

fn additions(operations: &HeaderOperations) -> Vec<HeaderValueOption> {
    let set = values(&operations.set, HeaderAppendAction::OverwriteIfExistsOrAdd);
    let add = values(&operations.add, HeaderAppendAction::AppendIfExistsOrAdd);
    set.chain(add).collect()
}

fn values(
    headers: &BTreeMap<String, String>,
    action: HeaderAppendAction,
) -> impl Iterator<Item = HeaderValueOption> {
    let allowed = headers.iter().filter(|(name, _)| !is_internal(name));
    allowed.map(move |(name, value)| HeaderValueOption {
        header: Some(HeaderValue { key: name.clone(), value: value.clone(), ..Default::default() }),
        append_action: action as i32,
        ..HeaderValueOption::default()
    })
}

fn removals(operations: &HeaderOperations) -> Vec<String> {
    operations.remove.iter().filter(|name| !is_internal(name)).cloned().collect()
}

fn authority(operations: &HeaderOperations) -> Option<String> {
    let of = |headers: &BTreeMap<String, String>| {
        let found = headers.iter().find(|(name, _)| is_authority(name));
        found.map(|(_, value)| value.clone())
    };
    of(&operations.set).or_else(|| of(&operations.add))
}

/// Whether Envoy keeps the header to itself: pseudo-headers and the host.
fn is_internal(name: &str) -> bool {
    name.starts_with(':') || name.eq_ignore_ascii_case("host")
}

fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn request(operations_of: HeaderOperations) -> Operations {
        let headers = Headers { request: Some(operations_of), response: None };
        operations(Some(&headers))
    }

    #[test]
    fn set_comes_before_add_and_names_sort_by_byte() {
        let found = request(HeaderOperations {
            set: map(&[("x-a", "1"), ("Z", "2")]),
            add: map(&[("b", "3")]),
            remove: vec!["X-Gone".into()],
        });
        let names: Vec<_> =
            found.request_add.iter().filter_map(|h| h.header.as_ref()).map(|h| &*h.key).collect();
        assert_eq!(names, ["Z", "x-a", "b"]);
        assert_eq!(found.request_remove, ["X-Gone"]);
    }

    #[test]
    fn the_host_is_not_a_header() {
        let found = request(HeaderOperations {
            set: map(&[("HOST", "set.test")]),
            add: map(&[(":authority", "add.test"), ("x", "1")]),
            remove: vec![],
        });
        assert_eq!(found.authority.as_deref(), Some("set.test"));
        assert_eq!(found.request_add.len(), 1);
    }
}
