//! The header fields of one message.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header fields of one message in the order in which they came.
///
/// A message has a dozen fields, and every request makes, copies and drops several sets of them: a plain list does
/// that in a fraction of the time of a hash table, and looking through it takes no longer than hashing the name. The
/// codecs bound how many fields a message may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(HeaderName, HeaderValue)>,
}

/// What a field can be looked up by: a [`HeaderName`], or its text in lower case.
pub trait Named {
    /// Whether `name` is the one that is looked for.
    fn is(&self, name: &HeaderName) -> bool;
}

impl Named for HeaderName {
    #[inline]
    fn is(&self, name: &HeaderName) -> bool {
        self == name
    }
}

impl Named for str {
    #[inline]
    fn is(&self, name: &HeaderName) -> bool {
        name.as_str() == self
    }
}

impl<N: Named + ?Sized> Named for &N {
    #[inline]
    fn is(&self, name: &HeaderName) -> bool {
        (**self).is(name)
    }
}

/// What can become the name of a field without failing.
pub trait IntoName {
    /// The name.
    fn into_name(self) -> HeaderName;
}

impl IntoName for HeaderName {
    fn into_name(self) -> HeaderName {
        self
    }
}

impl IntoName for &HeaderName {
    fn into_name(self) -> HeaderName {
        self.clone()
    }
}

impl IntoName for &'static str {
    fn into_name(self) -> HeaderName {
        HeaderName::from_static(self)
    }
}

impl Headers {
    /// No fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// No fields, and room for `capacity` of them.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity) }
    }

    /// A copy with room for `extra` fields more.
    #[must_use]
    pub fn clone_with_room(&self, extra: usize) -> Self {
        let mut fields = Vec::with_capacity(self.fields.len() + extra);
        fields.extend_from_slice(&self.fields);
        Self { fields }
    }

    /// How many fields there are; one that is repeated counts each time.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value of `name`.
    pub fn get(&self, name: impl Named) -> Option<&HeaderValue> {
        self.fields.iter().find_map(|(key, value)| name.is(key).then_some(value))
    }

    /// All values of `name`, in the order in which they came.
    pub fn get_all<N: Named>(&self, name: N) -> impl Iterator<Item = &HeaderValue> {
        self.fields.iter().filter_map(move |(key, value)| name.is(key).then_some(value))
    }

    /// Whether `name` is there.
    pub fn contains_key(&self, name: impl Named) -> bool {
        self.get(name).is_some()
    }

    /// Makes `value` the only one of `name`, in the place of the first there was. Gives that one back.
    pub fn insert(&mut self, name: impl IntoName, value: HeaderValue) -> Option<HeaderValue> {
        let name = name.into_name();
        let Some(first) = self.fields.iter().position(|(key, _)| *key == name) else {
            self.fields.push((name, value));
            return None;
        };
        if self.fields.iter().skip(first + 1).any(|(key, _)| *key == name) {
            let mut index = 0;
            self.fields.retain(|(key, _)| {
                index += 1;
                index <= first + 1 || *key != name
            });
        }
        let (_, there) = self.fields.get_mut(first)?;
        Some(std::mem::replace(there, value))
    }

    /// Adds `name` unless it is there.
    pub fn insert_if_absent(&mut self, name: HeaderName, value: impl FnOnce() -> HeaderValue) {
        if !self.contains_key(&name) {
            self.fields.push((name, value()));
        }
    }

    /// Adds a further value of `name`.
    pub fn append(&mut self, name: impl IntoName, value: HeaderValue) {
        self.fields.push((name.into_name(), value));
    }

    /// Removes every value of `name`, and gives the first back.
    pub fn remove(&mut self, name: impl Named) -> Option<HeaderValue> {
        let first = self.fields.iter().position(|(key, _)| name.is(key))?;
        let (_, value) = self.fields.remove(first);
        self.fields.retain(|(key, _)| !name.is(key));
        Some(value)
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&HeaderName, &HeaderValue) -> bool) {
        self.fields.retain(|(name, value)| keep(name, value));
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// The names of all fields; one that is repeated comes each time.
    pub fn keys(&self) -> impl Iterator<Item = &HeaderName> {
        self.fields.iter().map(|(name, _)| name)
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Headers {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Self {
        Self { fields: fields.into_iter().collect() }
    }
}

impl Extend<(HeaderName, HeaderValue)> for Headers {
    fn extend<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(&mut self, fields: I) {
        self.fields.extend(fields);
    }
}

/// Room for what a proxy adds to a message that it passes on.
const ROOM: usize = 8;

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(map.len() + ROOM);
        for (name, value) in map {
            // A repeated field is named once.
            let name = name.or_else(|| fields.last().map(|(name, _)| name.clone()));
            fields.extend(name.map(|name| (name, value)));
        }
        Self { fields }
    }
}

impl From<Headers> for HeaderMap {
    fn from(headers: Headers) -> Self {
        let mut map = Self::with_capacity(headers.len());
        for (name, value) in headers.fields {
            map.append(name, value);
        }
        map
    }
}
