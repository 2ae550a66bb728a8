//! Runs the pages of `docs/spec/`, which are documentation and tests at once.
//!
//! A page is prose with configuration and tables of requests:
//!
//! - a fenced block marked `yaml` is configuration. It holds from where it stands to the next heading of level 2, in
//!   addition to `docs/spec/services.yaml`; one marked `yaml mesh` is a MeshConfig, laid over Istio's defaults;
//! - a table whose first column is called `request` says what becomes of requests under that configuration. The first
//!   cell is the request in one code span, for instance `GET http://reviews:9080/x -H 'end-user: jason'`; the last is
//!   the outcome, words and code spans in turns ([`expectation`]). A column `from` says who asks, a column `after` what
//!   happened before;
//! - a table whose first column is called `object` says what is wrong with objects of the configuration: the second
//!   cell holds codes, or a dash for none.

mod ask;
pub mod expectation;
mod page;
mod past;

use std::fmt;
use std::path::Path;

use pilotage_config::mesh::MeshConfig;

use crate::ours::Ours;
use crate::spec::expectation::Expectation;
use page::{Section, Table};

/// Enough draws for shares to be within the tolerance; the same ones every time.
const DRAWS_FOR_SHARES: u64 = 4000;
/// Draws where nothing is said of shares: a branch that is not stated shows soon.
const DRAWS: u64 = 40;

/// A place where a page does not tell the truth.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Line of the page, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.problem)
    }
}

/// Paths of all pages below `docs/spec/`, relative to it, in order.
#[must_use]
pub fn pages() -> Vec<String> {
    let files = crate::workspace::files();
    let below = files.iter().filter_map(|f| f.path.strip_prefix("docs/spec/"));
    below.filter(|path| path.ends_with(".md") && path.contains('/')).map(str::to_owned).collect()
}

/// Runs one page. An untrue sentence is a finding; so is a page that claims nothing.
///
/// # Panics
/// When the page or the services that all pages share cannot be read.
#[must_use]
pub fn run(path: &str) -> Vec<Finding> {
    let folder = crate::root().join("docs/spec");
    let read = |name: &Path| {
        std::fs::read_to_string(name).unwrap_or_else(|e| panic!("{}: {e}", name.display()))
    };
    let text = read(&folder.join(path));
    let services = read(&folder.join("services.yaml"));
    let mut findings = Vec::new();
    let mut rows = 0;
    for section in page::sections(&text) {
        rows += section.tables.iter().map(|table| table.rows.len()).sum::<usize>();
        check_section(&section, &services, &mut findings);
    }
    if rows == 0 {
        findings.push(Finding { line: 1, problem: "the page has no table that is tested".into() });
    }
    findings
}

fn check_section(section: &Section, services: &str, findings: &mut Vec<Finding>) {
    let mut files = vec![("services.yaml".to_owned(), services)];
    let named = |(line, text): &(usize, String)| (format!("line-{line}.yaml"), text.clone());
    let own: Vec<(String, String)> = section.configuration.iter().map(named).collect();
    files.extend(own.iter().map(|(name, text)| (name.clone(), text.as_str())));
    let ours = Ours::of(&files, mesh(section, findings));
    let stated = section.tables.iter().any(|table| table.kind() == "object");
    if !stated {
        for problem in ours.refusals() {
            let file = problem.primary.as_ref().map_or("", |label| &*label.source);
            let line = file.trim_start_matches("line-").trim_end_matches(".yaml").parse();
            let problem =
                format!("the configuration is refused: {} {}", problem.code, problem.message);
            findings.push(Finding { line: line.unwrap_or(section.line), problem });
        }
    }
    for table in &section.tables {
        for (line, row) in &table.rows {
            let problems = match table.kind() {
                "object" => check_object(row, &ours),
                _ => check_request(table, row, &ours),
            };
            findings.extend(problems.into_iter().map(|problem| Finding { line: *line, problem }));
        }
    }
}

/// The MeshConfig of a section: Istio's defaults, and what the page says beyond them.
fn mesh(section: &Section, findings: &mut Vec<Finding>) -> MeshConfig {
    let Some((line, text)) = &section.mesh else { return MeshConfig::default() };
    let (mesh, problems) = pilotage_config::load_mesh_config("mesh.yaml", text);
    let told = problems.into_iter().filter(|problem| problem.is_error());
    findings.extend(told.map(|problem| Finding { line: *line, problem: problem.message.clone() }));
    mesh
}

fn check_object(row: &[String], ours: &Ours) -> Vec<String> {
    let [object, stated, ..] = row else { return vec!["a row has at least two cells".into()] };
    let object = object.trim_matches('`');
    let mut said: Vec<String> = ours
        .messages()
        .into_iter()
        .filter(|message| message.origin == object)
        .map(|message| message.code)
        .collect();
    said.sort();
    said.dedup();
    let mut wanted: Vec<String> = page::spans(stated);
    wanted.sort();
    if said == wanted {
        Vec::new()
    } else {
        vec![format!("{object}: stated {wanted:?}, found {said:?}")]
    }
}

fn check_request(table: &Table, row: &[String], ours: &Ours) -> Vec<String> {
    let (Some(request), Some(stated)) = (row.first(), row.last()) else {
        return vec!["a row has at least two cells".into()];
    };
    let from = table.column("from").and_then(|index| row.get(index)).map_or("", String::as_str);
    let after = table.column("after").and_then(|index| row.get(index)).map_or("", String::as_str);
    let expectation = match Expectation::parse(stated) {
        Ok(expectation) => expectation,
        Err(problem) => return vec![problem],
    };
    let draws = if expectation.has_shares() { DRAWS_FOR_SHARES } else { DRAWS };
    match ask::outcomes(request, (from, after), ours, draws) {
        Ok(outcomes) => expectation.differences(&outcomes),
        Err(problem) => vec![problem],
    }
}

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn pages_are_found_and_the_index_is_none() {
        assert!(pages().iter().all(|page| page != "README.md"));
    }
}
