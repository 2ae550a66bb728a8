//! Figures that only rise: how much of what was recorded comes out equal.
//!
//! `vectors/floors.tsv` has one line per figure: comparison, area, facet, how many are equal, how many there are. A test
//! counts, prints the table, and calls [`Scores::hold`]: it fails when a figure is below its line, and says what to
//! write when it is above. `PILOTAGE_RAISE_FLOORS=1` writes it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::vectors::{AREAS, directory};

/// Equal and all, by facet and area.
#[derive(Clone, Debug)]
pub struct Scores {
    comparison: &'static str,
    facets: Vec<&'static str>,
    counts: BTreeMap<(String, String), (usize, usize)>,
    shown: Vec<String>,
}

impl Scores {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(comparison: &'static str) -> Self {
        Self { comparison, facets: Vec::new(), counts: BTreeMap::new(), shown: Vec::new() }
    }

    /// Counts one comparison, which was equal if it has no `differences`. Those that `PILOTAGE_SHOW` asks for are kept
    /// for the output: it is a part of `AREA/CASE/FACET`.
    pub fn count(&mut self, area: &str, case: &str, facet: &'static str, differences: &[String]) {
        if !self.facets.contains(&facet) {
            self.facets.push(facet);
        }
        let count = self.counts.entry((facet.to_owned(), area.to_owned())).or_default();
        count.1 += 1;
        if differences.is_empty() {
            count.0 += 1;
            return;
        }
        let place = format!("{area}/{case}/{facet}");
        if std::env::var("PILOTAGE_SHOW").is_ok_and(|wanted| place.contains(&wanted)) {
            self.shown.push(format!("{place}\n    {}", differences.join("\n    ")));
        }
    }

    /// The table per facet and area.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{:17}", self.comparison);
        for (area, _) in AREAS {
            out.push_str(&format!("{area:>10}"));
        }
        for facet in &self.facets {
            out.push_str(&format!("\n{facet:17}"));
            for (area, _) in AREAS {
                let cell = match self.counts.get(&((*facet).to_owned(), area.to_owned())) {
                    Some((equal, all)) => format!("{equal}/{all}"),
                    None => "-".to_owned(),
                };
                out.push_str(&format!("{cell:>10}"));
            }
        }
        let (equal, all) = self.counts.values().fold((0, 0), |(e, a), c| (e + c.0, a + c.1));
        out.push_str(&format!("\n{equal} of {all} equal"));
        out
    }

    /// Prints the table and compares it with the floors.
    ///
    /// # Panics
    /// When a figure is below its floor, when there is no floor for it, or when the number of comparisons changed.
    pub fn hold(&self) {
        for shown in &self.shown {
            println!("{shown}");
        }
        println!("{}\n", self.table());
        let raise = std::env::var_os("PILOTAGE_RAISE_FLOORS").is_some_and(|value| value == "1");
        if raise {
            self.write();
        }
        let floors = floors();
        let mut fallen = Vec::new();
        let mut risen = Vec::new();
        for ((facet, area), (equal, all)) in &self.counts {
            let key = (self.comparison.to_owned(), area.clone(), facet.clone());
            let line = format!("{}\t{area}\t{facet}\t{equal}\t{all}", self.comparison);
            match floors.get(&key) {
                Some((floor, known)) if equal >= floor && all == known => {
                    if equal > floor {
                        risen.push(line);
                    }
                }
                Some((floor, known)) => {
                    fallen.push(format!("{line}   (the floor is {floor} of {known})"))
                }
                None => fallen.push(format!("{line}   (there is no floor)")),
            }
        }
        if !risen.is_empty() {
            let path = "vectors/floors.tsv";
            println!("these figures rose; write them to {path} (PILOTAGE_RAISE_FLOORS=1 does):");
            println!("{}\n", risen.join("\n"));
        }
        assert!(
            fallen.is_empty(),
            "below the floors of vectors/floors.tsv:\n{}",
            fallen.join("\n")
        );
    }

    /// Writes the figures of this comparison; those of others stay.
    fn write(&self) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _held = ONE_AT_A_TIME.lock();
        let mut floors = floors();
        floors.retain(|(comparison, ..), _| comparison != self.comparison);
        for ((facet, area), count) in &self.counts {
            floors.insert((self.comparison.to_owned(), area.clone(), facet.clone()), *count);
        }
        let mut text =
            "# comparison, area, facet, equal, all: figures reached, which only rise\n".to_owned();
        for ((comparison, area, facet), (equal, all)) in floors {
            text.push_str(&format!("{comparison}\t{area}\t{facet}\t{equal}\t{all}\n"));
        }
        std::fs::write(directory().join("floors.tsv"), text).expect("the floors can be written");
    }
}

type Floors = BTreeMap<(String, String, String), (usize, usize)>;

fn floors() -> Floors {
    let text = std::fs::read_to_string(directory().join("floors.tsv")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [comparison, area, facet, equal, all] = columns[..] else {
                panic!("floors.tsv: five columns are expected: {line}");
            };
            let [comparison, area, facet] = [comparison, area, facet].map(str::to_owned);
            ((comparison, area, facet), (equal.parse().unwrap(), all.parse().unwrap()))
        })
        .collect()
}
