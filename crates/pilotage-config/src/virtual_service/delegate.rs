//! `http[].delegate`.

use crate::message::message;

message! {
    /// Another VirtualService whose rules are spliced in.
    pub struct Delegate {
        /// Its name.
        pub name: String,
        /// Its namespace. Empty means that of this object.
        pub namespace: String,
    }
}
