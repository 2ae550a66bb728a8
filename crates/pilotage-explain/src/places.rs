//! From the origin of something compiled to its line.

use std::sync::Arc;

use pilotage_config::virtual_service::HttpRoute;
use pilotage_config::{FieldPath, Kind, Object};
use pilotage_engine::origin::Origin;

use crate::explanation::{Place, RuleName};

/// The objects, to look up their lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    objects: &'a [Arc<Object>],
}

impl<'a> Places<'a> {
    pub(crate) fn new(objects: &'a [Arc<Object>]) -> Self {
        Self { objects }
    }

    /// The object of this reference: `VirtualService default/reviews`.
    pub(crate) fn object(&self, reference: &str) -> Option<&'a Object> {
        let (kind, rest) = reference.split_once(' ')?;
        let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
        let mut objects = self.objects.iter().map(|object| &**object);
        objects.find(|object| {
            object.kind.as_str() == kind && object.name() == name && object.namespace() == namespace
        })
    }

    /// The line of a field, or of what it is nearest to.
    pub(crate) fn place(&self, reference: &str, path: &str) -> Place {
        let mut place =
            Place { object: reference.to_owned(), field: path.to_owned(), ..Place::default() };
        if let Some(object) = self.object(reference) {
            place.file = Some(object.source.file.to_string());
            let span = object.spans.key(&FieldPath::from(path)).filter(|_| !path.is_empty());
            let line = span.map_or(object.source.span.line, |span| span.line);
            place.line = (line > 0).then_some(line);
        }
        place
    }

    /// The line of an origin.
    pub(crate) fn of(&self, origin: &pilotage_model::origin::Origin) -> Place {
        self.place(&origin.object.to_string(), &origin.path)
    }

    /// The line of a field, if it was written.
    pub(crate) fn written(&self, reference: &str, path: &str) -> Option<Place> {
        self.object(reference)?.spans.get(&FieldPath::from(path))?;
        Some(self.place(reference, path))
    }

    /// The rule that something compiled comes from.
    pub(crate) fn rule(&self, from: &Origin, name: &str) -> RuleName {
        let path = from.rule();
        let field = path.strip_prefix("spec.").unwrap_or(path);
        RuleName {
            // Of the rules of the virtual service that has the host: that which delegates, if one does.
            number: index(from.via.as_ref().map_or(path, |(_, root)| root))
                .map_or(0, |index| index + 1),
            field: field.to_owned(),
            name: name.to_owned(),
            place: Some(self.place(&from.object, path)),
            via: from.via.as_ref().map(|(object, path)| self.place(object, path)),
        }
    }

    /// What was written as the HTTP rule at `path`.
    pub(crate) fn http_rule(&self, reference: &str, path: &str) -> Option<&'a HttpRoute> {
        let Kind::VirtualService(service) = &self.object(reference)?.body else { return None };
        if !path.starts_with("spec.http[") {
            return None;
        }
        service.http.get(index(path)?).map(|rule| &**rule)
    }
}

/// The last index of a path: 3 for `spec.http[3]`.
fn index(path: &str) -> Option<usize> {
    path.strip_suffix(']')?.rsplit_once('[')?.1.parse().ok()
}
