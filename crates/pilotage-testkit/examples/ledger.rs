//! Brings `docs/field-ledger.tsv` up to date with the API and prints how much is implemented:
//! `cargo run -p pilotage-testkit --example ledger [KIND PREFIX STATUS REFERENCE]`.
//!
//! New fields become `unproven`. With arguments, the lines of KIND whose path begins with PREFIX are set.

#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use std::collections::BTreeMap;

use pilotage_testkit::ledger::{self, Entry};

const HEAD: &str = "\
# Every field of Istio's API and what Pilotage does with it. Columns: kind, path, status, where to read on.
# implemented: page below docs/ that shows it; recorded: no page yet, but cases of that area of the vectors use it, and
# what is compiled is compared with Istio's answers, whether or not our proxy obeys it; warned, rejected: code that says
# so; outside: differences.md says why nothing comes of it; unproven: nothing shows it yet.
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = pilotage_testkit::root().join("docs/field-ledger.tsv");
    let before = ledger::parse(&std::fs::read_to_string(&path).unwrap_or_default())?;
    let told: Vec<String> = std::env::args().skip(1).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut text = HEAD.to_owned();
    for (kind, leaf) in ledger::leaves() {
        let old = before.iter().find(|e| e.kind == kind && e.path == leaf);
        let mut entry = old.cloned().unwrap_or_else(|| Entry {
            kind: kind.into(),
            path: leaf,
            status: "unproven".into(),
            reference: "-".into(),
        });
        if let [of, prefix, status, reference] = &told[..]
            && *of == entry.kind
            && entry.path.starts_with(prefix.as_str())
        {
            entry.status.clone_from(status);
            entry.reference.clone_from(reference);
        }
        *counts.entry(entry.status.clone()).or_default() += 1;
        text.push_str(&format!("{entry}\n"));
    }
    std::fs::write(&path, text)?;
    for (status, count) in counts {
        println!("{status:12} {count}");
    }
    Ok(())
}
