//! The pages of our own codes, carried in the binary.

use pilotage_config::Code;

/// Declares the pages by the codes they are for.
macro_rules! pages {
    ($($id:literal)+) => {
        const PAGES: &[(&str, &str)] = &[$(
            ($id, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes/", $id, ".md")))
        ),+];
    };
}

pages! {
    "PIL0001"
    "PIL0002"
    "PIL0003"
    "PIL0004"
    "PIL0005"
    "PIL0006"
    "PIL0007"
    "PIL0008"
    "PIL0009"
    "PIL0010"
    "PIL0011"
    "PIL0012"
    "PIL0013"
    "PIL0014"
    "PIL0101"
    "PIL0102"
    "PIL0103"
    "PIL0201"
    "PIL0202"
    "PIL0203"
    "PIL0204"
    "PIL0301"
    "PIL0302"
    "PIL0303"
    "PIL0304"
    "PIL0305"
    "PIL0306"
    "PIL0307"
    "PIL0308"
    "PIL0309"
    "PIL0310"
    "PIL0311"
    "PIL0312"
    "PIL0313"
    "PIL0314"
    "PIL0315"
    "PIL0316"
    "PIL0317"
    "PIL0318"
}

/// The page of a code, if it is one of ours.
pub(super) fn page(code: Code) -> Option<&'static str> {
    PAGES.iter().find(|(id, _)| *id == code.id()).map(|(_, page)| *page)
}
