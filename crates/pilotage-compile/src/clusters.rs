//! CDS resources.

use pilotage_model::ProxyView;
use pilotage_proto::ResourceSet;

/// Adds the clusters of the proxy. Not built yet: there are none.
pub(crate) fn add(_view: &ProxyView, _set: &mut ResourceSet) {}
