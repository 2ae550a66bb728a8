//! Every field of the API is in the ledger, and the ledger tells the truth about pages and codes.

use pilotage_testkit::ledger;
use pilotage_testkit::workspace::assert_none;

#[test]
fn every_field_is_in_the_ledger() {
    let path = pilotage_testkit::root().join("docs/field-ledger.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let entries = ledger::parse(&text).unwrap();
    assert_none(
        &ledger::findings(&entries),
        "docs/field-ledger.tsv: `cargo run -p pilotage-testkit --example ledger` adds and removes lines",
    );
}

#[test]
fn what_is_called_recorded_is_in_the_vectors() {
    let path = pilotage_testkit::root().join("docs/field-ledger.tsv");
    let entries = ledger::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_none(&ledger::unused(&entries), "the ledger names an area that does not use the field");
}

/// The order is that of the API, so that a diff of the ledger is a diff of what is supported.
#[test]
fn the_ledger_is_in_the_order_of_the_api() {
    let path = pilotage_testkit::root().join("docs/field-ledger.tsv");
    let entries = ledger::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let written: Vec<(&str, String)> =
        entries.iter().map(|e| (e.kind.as_str(), e.path.clone())).collect();
    assert!(written == ledger::leaves(), "the lines are not in the order of the API");
}
