//! Cross-origin requests.

use crate::string_match::StringMatch;

/// CORS policy of a route.
#[derive(Debug)]
pub struct CorsPolicy {
    pub(crate) origins: Vec<StringMatch>,
}
