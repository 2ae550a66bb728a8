//! What fields a kind has, as data: for suggestions, for the field ledger and for documentation.

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A single value; the word says which, for instance `string` or `duration`.
    Scalar(&'static str),
    /// One of several names.
    Enum(&'static EnumSchema),
    /// A message with fields.
    Message(&'static MessageSchema),
    /// A list.
    List(&'static Shape),
    /// A mapping from text, the names being free.
    Map(&'static Shape),
}

/// An enumeration.
#[derive(Debug)]
pub struct EnumSchema {
    /// Its name in the API.
    pub name: &'static str,
    /// The names and numbers of its values, aliases included.
    pub values: &'static [(&'static str, i32)],
}

/// A message.
#[derive(Debug)]
pub struct MessageSchema {
    /// Its name in the API.
    pub name: &'static str,
    /// Its fields in the order of the API.
    pub fields: &'static [FieldInfo],
    /// Groups of fields, by their names in YAML, of which at most one may be set.
    pub one_of: &'static [&'static [&'static str]],
}

/// A field of a message.
#[derive(Debug)]
pub struct FieldInfo {
    /// The name in JSON and YAML, for instance `exportTo`.
    pub name: &'static str,
    /// The name in the API's definition and in our structs, for instance `export_to`.
    pub original_name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// What it is for, in a sentence or two; may begin with a space.
    pub description: &'static str,
}

impl FieldInfo {
    /// Whether `key` names this field: in lowerCamelCase, or in the spelling of the definition,
    /// which protobuf's JSON accepts as well.
    #[must_use]
    pub fn is_called(&self, key: &str) -> bool {
        self.name == key
            || self.original_name == key
            || self.original_name.strip_suffix('_').is_some_and(|name| name == key)
    }
}

impl MessageSchema {
    /// The field that `key` names.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&'static FieldInfo> {
        self.fields.iter().find(|field| field.is_called(key))
    }
}

impl Shape {
    /// The message behind lists and maps, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&'static MessageSchema> {
        match self {
            Self::Message(message) => Some(message),
            Self::List(inner) | Self::Map(inner) => inner.message(),
            Self::Scalar(_) | Self::Enum(_) => None,
        }
    }

    /// What is expected, in words for a message.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Scalar(name) => (*name).to_owned(),
            Self::Enum(schema) => format!("one of {}", schema.names().join(", ")),
            Self::Message(schema) => format!("the fields of {}", schema.name),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Calls `visit` with the path of every leaf field, `[]` standing for list entries and `{}`
    /// for the values of maps.
    pub fn leaves(&self, path: &str, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Scalar(_) | Self::Enum(_) => visit(path),
            Self::List(inner) => inner.leaves(&format!("{path}[]"), visit),
            Self::Map(inner) => inner.leaves(&format!("{path}{{}}"), visit),
            Self::Message(schema) if schema.fields.is_empty() => visit(path),
            Self::Message(schema) => {
                for field in schema.fields {
                    field.shape.leaves(&format!("{path}.{}", field.name), visit);
                }
            }
        }
    }
}

impl EnumSchema {
    /// The names of the values.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.values.iter().map(|(name, _)| *name).collect()
    }
}

/// The length of a name in lowerCamelCase.
#[doc(hidden)]
pub const fn camel_length(name: &str) -> usize {
    let mut bytes = name.as_bytes();
    let mut length = 0;
    while let [first, rest @ ..] = bytes {
        if *first != b'_' {
            length += 1;
        }
        bytes = rest;
    }
    length
}

/// A snake_case name in lowerCamelCase, by protobuf's rule: each underscore goes and the letter
/// after it becomes upper case.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, where a slip is an error")]
#[doc(hidden)]
pub const fn camel<const N: usize>(name: &str) -> [u8; N] {
    let mut out = [0; N];
    let mut bytes = name.as_bytes();
    let mut at = 0;
    let mut raise = false;
    while let [first, rest @ ..] = bytes {
        if *first == b'_' {
            raise = true;
        } else {
            out[at] = if raise { first.to_ascii_uppercase() } else { *first };
            raise = false;
            at += 1;
        }
        bytes = rest;
    }
    out
}
