//! The names a proxy's clients may use, and their addresses.

use pilotage_model::ProxyView;
use pilotage_proto::istio::networking::nds::v1::NameTable;

/// The table of names. Not built yet: it is empty.
pub(crate) fn build(_view: &ProxyView) -> NameTable {
    NameTable::default()
}
