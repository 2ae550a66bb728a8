//! Header operations: what one level of configuration adds, sets and removes.

use http::{HeaderName, HeaderValue};
use pilotage_proto::envoy::config::core::v3::HeaderValueOption;
use pilotage_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;

use crate::header_format::{FormatContext, Template};
use crate::headers::Headers;
use crate::rejection::{FieldError, Warnings};

/// Operations of one level (weighted cluster, route, virtual host, route configuration) on requests and answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelOperations {
    pub(crate) request: HeaderOperations,
    pub(crate) response: HeaderOperations,
}

/// Operations on one set of headers: removals first, then what replaces, then what is added. Values are all computed
/// before anything changes but after the removals.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderOperations {
    remove: Vec<HeaderName>,
    change: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    name: HeaderName,
    value: Template,
    action: HeaderAppendAction,
    keep_empty: bool,
}

/// Whose headers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Side {
    /// `context` with `headers` as the headers of this side.
    fn complete<'a>(self, context: &FormatContext<'a>, headers: &'a Headers) -> FormatContext<'a> {
        match self {
            Self::Request => FormatContext { request_headers: headers, ..*context },
            Self::Response => FormatContext { response_headers: Some(headers), ..*context },
        }
    }
}

/// The four lists of header operations that every level has.
pub(crate) struct OperationLists<'a> {
    pub(crate) request_add: &'a [HeaderValueOption],
    pub(crate) request_remove: &'a [String],
    pub(crate) response_add: &'a [HeaderValueOption],
    pub(crate) response_remove: &'a [String],
}

/// [`OperationLists`] of any message that has them under their usual names.
macro_rules! operation_lists {
    ($message:expr) => {
        $crate::header_operations::OperationLists {
            request_add: &$message.request_headers_to_add,
            request_remove: &$message.request_headers_to_remove,
            response_add: &$message.response_headers_to_add,
            response_remove: &$message.response_headers_to_remove,
        }
    };
}
pub(crate) use operation_lists;

impl LevelOperations {
    pub(crate) fn compile(
        lists: &OperationLists<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let request = HeaderOperations::compile(
            ("request_headers_to_add", lists.request_add),
            ("request_headers_to_remove", lists.request_remove),
            warnings,
        )?;
        let response = HeaderOperations::compile(
            ("response_headers_to_add", lists.response_add),
            ("response_headers_to_remove", lists.response_remove),
            warnings,
        )?;
        Ok(Self { request, response })
    }
}

impl HeaderOperations {
    /// Whether any value tells something of the request's head.
    pub(crate) fn tell_of_request(&self) -> bool {
        self.change.iter().any(|change| change.value.tells_of_request())
    }

    fn compile(
        (add_field, add): (&str, &[HeaderValueOption]),
        (remove_field, remove): (&str, &[String]),
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        let mut operations = Self::default();
        for (index, name) in remove.iter().enumerate() {
            let name =
                header_name(name).map_err(|e| e.within(format!("{remove_field}[{index}]")))?;
            operations.remove.push(name);
        }
        for (index, option) in add.iter().enumerate() {
            let field = format!("{add_field}[{index}]");
            let change = Change::compile(option).map_err(|e| e.within(&field))?;
            if change.value.has_unsupported() {
                warnings.note(&field, "names an operator that always expands to nothing here");
            }
            operations.change.push(change);
        }
        Ok(operations)
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.change.is_empty()
    }

    /// Applies all operations to `headers`, which are those of a request or an answer. `context` is completed by the
    /// headers as they are.
    pub(crate) fn apply(&self, headers: &mut Headers, side: Side, context: &FormatContext<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        if let [change] = self.change.as_slice() {
            // The usual case needs no list of values.
            if let Some(value) = change.value(headers, side, context) {
                change.put(headers, value);
            }
            return;
        }
        let values: Vec<_> =
            self.change.iter().map(|change| change.value(headers, side, context)).collect();
        let (mut replace, mut add) = (Vec::new(), Vec::new());
        for (change, value) in self.change.iter().zip(values) {
            let Some(value) = value else { continue };
            if change.replaces() {
                replace.push((change, value))
            } else {
                add.push((change, value))
            }
        }
        for (change, value) in replace.into_iter().chain(add) {
            change.put(headers, value);
        }
    }
}

impl Change {
    fn compile(option: &HeaderValueOption) -> Result<Self, FieldError> {
        let header =
            option.header.as_ref().ok_or_else(|| FieldError::new("header", "is required"))?;
        let name = header_name(&header.key).map_err(|e| e.within("header.key"))?;
        if !header.raw_value.is_empty() {
            return Err(FieldError::new("header.raw_value", "is not supported"));
        }
        let value = Template::compile(&header.value).map_err(|e| e.within("header"))?;
        // The older boolean form says the same as two of the actions.
        let action = match option.append {
            Some(true) => HeaderAppendAction::AppendIfExistsOrAdd,
            Some(false) => HeaderAppendAction::OverwriteIfExistsOrAdd,
            None => option.append_action(),
        };
        Ok(Self { name, value, action, keep_empty: option.keep_empty_value })
    }

    fn replaces(&self) -> bool {
        match self.action {
            HeaderAppendAction::OverwriteIfExists | HeaderAppendAction::OverwriteIfExistsOrAdd => {
                true
            }
            HeaderAppendAction::AppendIfExistsOrAdd | HeaderAppendAction::AddIfAbsent => false,
        }
    }

    /// The value to put, when there is anything to put.
    fn value(
        &self,
        headers: &Headers,
        side: Side,
        context: &FormatContext<'_>,
    ) -> Option<HeaderValue> {
        let wanted = match self.action {
            HeaderAppendAction::AddIfAbsent => !headers.contains_key(&self.name),
            HeaderAppendAction::OverwriteIfExists => headers.contains_key(&self.name),
            HeaderAppendAction::AppendIfExistsOrAdd
            | HeaderAppendAction::OverwriteIfExistsOrAdd => true,
        };
        if !wanted {
            return None;
        }
        let value = self.value.value(&side.complete(context, headers))?;
        (self.keep_empty || !value.is_empty()).then_some(value)
    }

    fn put(&self, headers: &mut Headers, value: HeaderValue) {
        if self.replaces() {
            headers.insert(&self.name, value);
            return;
        }
        headers.append(&self.name, value);
    }
}

/// A header name that operations may touch: no pseudo header, not the host.
fn header_name(name: &str) -> Result<HeaderName, FieldError> {
    if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
        return Err(FieldError::new("", format!("`{name}` may not be modified")));
    }
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| FieldError::new("", format!("`{name}` is not a header name")))
}
