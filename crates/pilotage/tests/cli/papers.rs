//! `explain-code`, `schema`, `completion` and `man`.

use serde_json::Value;

use crate::support::{Folder, pilotage};

#[test]
fn codes_are_explained_in_any_case() {
    let own = pilotage(&["explain-code", "pil0305"]);
    assert_eq!(own.code, 0);
    assert!(own.stdout.starts_with("# PIL0305: AlternativesNotConditions\n"), "{}", own.stdout);
    assert!(own.stdout.contains("```yaml\n"), "{}", own.stdout);
    let istio = pilotage(&["explain-code", "IST0130"]);
    assert!(istio.stdout.contains("VirtualServiceUnreachableRule"), "{}", istio.stdout);
    assert!(istio.stdout.contains("/analysis/ist0130/"), "{}", istio.stdout);
    let list = pilotage(&["explain-code"]);
    assert!(list.stdout.contains("PIL0305") && list.stdout.contains("IST0130"), "{}", list.stdout);
    let unknown = pilotage(&["explain-code", "IST9999"]);
    assert_eq!(unknown.code, 64);
    assert!(unknown.stderr.contains("IST9999"), "{}", unknown.stderr);
}

#[test]
fn schemas_are_json_and_name_their_kind() {
    let one = pilotage(&["schema", "virtualservice"]);
    let schema: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(schema["title"], "VirtualService");
    let all: Value = serde_json::from_str(&pilotage(&["schema"]).stdout).unwrap();
    let kinds = pilotage(&["schema", "--list"]).stdout;
    // The last choice is for all kinds that are not read.
    assert_eq!(all["oneOf"].as_array().unwrap().len(), kinds.lines().count() + 1);
    assert_eq!(pilotage(&["schema", "Nothing"]).code, 64);
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = pilotage(&["completion", shell]);
        assert_eq!(done.code, 0);
        assert!(done.stdout.contains("explain-code"), "{shell}");
    }
    assert_eq!(pilotage(&["completion", "dos"]).code, 64);
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = Folder::new();
    let done = pilotage(&["man", "--dir", folder.path()]);
    assert_eq!(done.code, 0);
    let pages = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(done.stdout, format!("{pages} pages are in {}\n", folder.path()));
    let page = std::fs::read_to_string(folder.file("pilotage-analyze.1")).unwrap();
    assert_eq!(page, pilotage(&["man", "analyze"]).stdout);
    assert!(page.contains(".TH") && page.contains("failure\\-threshold"), "{page}");
    assert!(pilotage(&["man"]).stdout.contains("pilotage\\-analyze"));
    assert_eq!(pilotage(&["man", "nothing"]).code, 64);
}
