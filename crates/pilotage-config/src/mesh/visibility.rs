//! `serviceEntryVisibility`: limits on who sees ServiceEntries.

use crate::message::{enumeration, message};
use crate::selector::LabelSelector;

message! {
    /// Limits on who sees ServiceEntries.
    pub struct ServiceEntryVisibility as "MeshConfig.ServiceEntryVisibility" {
        /// The limit where no policy matches.
        pub default_visibility: Visibility,
        /// Limits for some namespaces; the first that matches is used.
        pub policies: Vec<ServiceEntryVisibilityPolicy>,
        /// Whether the limits hold for sidecars too.
        pub apply_to_sidecars: Option<bool>,
    }
}

message! {
    /// A limit for some namespaces.
    pub struct ServiceEntryVisibilityPolicy as "MeshConfig.ServiceEntryVisibility.Policy" {
        /// The limit.
        pub visibility: Visibility,
        /// The ServiceEntries that it is for; one rule has to match.
        pub matching_rules: Vec<VisibilityRule>,
    }
}

message! {
    /// Which ServiceEntries a limit is for.
    pub struct VisibilityRule as "MeshConfig.ServiceEntryVisibility.MatchingRule" {
        /// Labels of their namespace.
        pub namespace_selector: Option<LabelSelector>,
        /// Labels of their own.
        pub selector: Option<LabelSelector>,
    }
}

enumeration! {
    /// Who may see an object.
    pub enum Visibility as "MeshConfig.ServiceEntryVisibility.Visibility" {
        /// No limit is given.
        #[default]
        Unspecified = 0 "UNSPECIFIED",
        /// All namespaces.
        Public = 1 "PUBLIC",
        /// Its own namespace.
        Namespace = 2 "NAMESPACE",
        /// Nobody.
        None = 3 "NONE",
    }
}
