//! Who may see a service, a virtual service or a destination rule (`exportTo`).

pub mod limits;

use std::collections::BTreeSet;
use std::sync::Arc;

/// The namespaces that see an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody (`*`).
    Public,
    /// The object's own namespace (`.`).
    Private,
    /// Exactly these namespaces; `.` is already replaced by the object's own.
    Namespaces(BTreeSet<Arc<str>>),
    /// Nobody (`~`).
    None,
}

impl Visibility {
    /// What `exportTo` of an object in `namespace` says; `default` is the mesh-wide setting for its kind and counts
    /// when the list is empty. `*` wins over everything, then `~`.
    ///
    /// Of the mesh-wide setting only `*`, `.` and `~` count.
    #[must_use]
    pub fn of(export_to: &[String], namespace: &str, default: &[String]) -> Self {
        if export_to.is_empty() {
            return Self::of_mesh(default);
        }
        let has = |word: &str| export_to.iter().any(|entry| entry == word);
        if has("*") {
            return Self::Public;
        }
        if has("~") {
            return Self::None;
        }
        let namespaces: BTreeSet<Arc<str>> =
            export_to.iter().map(|n| Arc::from(if n == "." { namespace } else { n })).collect();
        if namespaces.len() == 1 && namespaces.contains(namespace) {
            return Self::Private;
        }
        Self::Namespaces(namespaces)
    }

    fn of_mesh(default: &[String]) -> Self {
        let has = |word: &str| default.iter().any(|entry| entry == word);
        if default.is_empty() || has("*") {
            Self::Public
        } else if has(".") {
            Self::Private
        } else {
            Self::None
        }
    }

    /// The same, but for nobody outside of the object's own namespace.
    #[must_use]
    pub fn capped(&self, namespace: &str) -> Self {
        if self.visible_in(namespace, namespace) { Self::Private } else { Self::None }
    }

    /// Whether clients of `client` see an object of `owner`.
    #[must_use]
    pub fn visible_in(&self, owner: &str, client: &str) -> bool {
        match self {
            Self::Public => true,
            Self::Private => owner == client,
            Self::Namespaces(namespaces) => namespaces.contains(client),
            Self::None => false,
        }
    }

    /// How `client` comes to see an object of `owner`; nothing when it does not.
    ///
    /// Istio looks at the three groups one after another, so they also order objects.
    #[must_use]
    pub fn rank(&self, owner: &str, client: &str) -> Option<Rank> {
        match self {
            Self::Public => Some(Rank::Public),
            _ if !self.visible_in(owner, client) => None,
            _ if owner == client => Some(Rank::Private),
            _ => Some(Rank::Exported),
        }
    }
}

/// How an object is visible to a namespace, in the order in which Istio considers the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rank {
    /// The object's own namespace, and the object is not public.
    Private,
    /// Exported to this namespace by name.
    Exported,
    /// Exported to everybody.
    Public,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[&str]) -> Visibility {
        let list: Vec<String> = list.iter().map(|s| (*s).to_owned()).collect();
        Visibility::of(&list, "shop", &[".".to_owned()])
    }

    #[test]
    fn star_beats_tilde_beats_names() {
        assert_eq!(of(&["~", "*"]), Visibility::Public);
        assert_eq!(of(&["web", "~"]), Visibility::None);
        assert_eq!(of(&[]), Visibility::Private);
        assert_eq!(of(&["shop"]), Visibility::Private);
    }

    #[test]
    fn named_namespaces_see_it_and_the_owner_only_when_named() {
        assert!(of(&["web", "."]).visible_in("shop", "shop"));
        assert!(!of(&["web"]).visible_in("shop", "shop"));
        assert_eq!(of(&["web"]).rank("shop", "web"), Some(Rank::Exported));
        assert_eq!(of(&["web"]).rank("shop", "blue"), None);
    }
}
