//! Every code that is told has a page and something that produces it.

use std::collections::BTreeSet;

use pilotage_config::{Code, Object, codes, load};
use pilotage_model::analysis::analyze;
use pilotage_testkit::root;
use pilotage_testkit::workspace::{assert_none, files};

/// Our codes that no text in YAML produces: their pages show none, and tests elsewhere produce them.
const WITHOUT_EXAMPLE: [Code; 7] = [
    codes::PIL0002,
    codes::PIL0003,
    codes::PIL0012,
    codes::PIL0201,
    codes::PIL0202,
    codes::PIL0203,
    codes::PIL0204,
];

/// Our codes that the program finds from what it compiles; its own tests run the examples of their pages.
const FROM_ROUTES: [Code; 1] = [codes::PIL0315];

fn own() -> impl Iterator<Item = Code> {
    codes::ALL.iter().copied().filter(|code| code.id().starts_with("PIL"))
}

/// What is told of a text.
fn told(text: &str) -> BTreeSet<Code> {
    let loaded = load("page.yaml", text);
    let objects: Vec<&Object> = loaded.objects.iter().chain(&loaded.broken).collect();
    let problems = loaded.diagnostics.iter().cloned().chain(analyze(&objects));
    problems.map(|problem| problem.code).collect()
}

#[test]
fn every_code_of_ours_has_a_page_whose_examples_are_true() {
    let mut findings = Vec::new();
    for code in own() {
        let path = root().join(format!("docs/codes/{code}.md"));
        let Ok(page) = std::fs::read_to_string(&path) else {
            findings.push(format!("{code} has no page docs/codes/{code}.md"));
            continue;
        };
        if !page.starts_with(&format!("# {code}: {}\n", code.name())) {
            findings.push(format!("the page of {code} begins with another title"));
        }
        let mut examples =
            page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        match (examples.next(), examples.next()) {
            (Some(_), Some(_)) if FROM_ROUTES.contains(&code) => {}
            (Some(bad), Some(good)) => {
                if !told(bad).contains(&code) {
                    findings
                        .push(format!("the first example of {code} is told of {:?}", told(bad)));
                }
                if told(good).contains(&code) {
                    findings.push(format!("the second example of {code} is told of it as well"));
                }
            }
            _ if WITHOUT_EXAMPLE.contains(&code) => {}
            _ => findings.push(format!("the page of {code} needs two examples")),
        }
    }
    assert_none(&findings, "pages of codes");
}

#[test]
fn every_code_that_is_told_is_produced_by_a_test() {
    let (mut shipped, mut tests) = (String::new(), String::new());
    for file in &files() {
        if file.path.ends_with(".snap") {
            tests.extend(file.text.as_deref());
        }
        if !file.is_rust() {
            continue;
        }
        let is_table = file.path.ends_with("/codes.rs");
        let mut last = 0;
        for (number, line) in file.shipped_lines().filter(|_| !is_table) {
            last = number;
            shipped.push_str(line);
            shipped.push('\n');
        }
        tests.extend(
            file.lines().skip(last).filter(|_| !is_table).map(|(_, line)| format!("{line}\n")),
        );
    }
    let with_page: BTreeSet<Code> = own().filter(|code| !WITHOUT_EXAMPLE.contains(code)).collect();
    let untested = codes::ALL.iter().filter(|code| shipped.contains(&format!("codes::{code}")));
    let untested = untested.filter(|code| !with_page.contains(code) && !tests.contains(code.id()));
    let findings: Vec<String> = untested.map(|code| format!("no test produces {code}")).collect();
    assert_none(&findings, "codes that no test produces");
}
