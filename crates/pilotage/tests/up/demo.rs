//! `pilotage demo --once`.

use std::fs;

use crate::harness::{command, holds};

#[test]
fn one_table_and_the_files_to_edit() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("demo");
    let run = || {
        let output = command(&["demo", "--once", "--requests", "500", "--folder"])
            .arg(&folder)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run();
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    assert!(!shown.contains('\x1b'), "colours in a pipe: {shown}");
    let share = |shown: &str, version: &str| -> (f64, String) {
        let row =
            shown.lines().find(|line| line.trim_start().starts_with(version)).unwrap().to_owned();
        let words: Vec<&str> = row.split_whitespace().collect();
        let percent = words.iter().position(|word| *word == "%").unwrap();
        (words[percent - 1].parse().unwrap(), words[percent + 2].to_owned())
    };
    let (v1, asked) = share(&shown, "v1");
    assert_eq!(asked, "80");
    // Six standard deviations of 500 requests.
    assert!((v1 - 80.0).abs() < 11.0, "{shown}");
    assert_eq!(share(&shown, "v3"), (0.0, "0".to_owned()));
    assert!(shown.contains("100.0 % ok"), "{shown}");

    // The user's edit is obeyed and stays.
    let reviews = folder.join("reviews.yaml");
    let text = fs::read_to_string(&reviews).unwrap();
    fs::write(
        &reviews,
        text.replace("weight: 80", "weight: 0").replace("weight: 20", "weight: 100"),
    )
    .unwrap();
    let shown = run();
    assert_eq!(share(&shown, "v2"), (100.0, "100".to_owned()));
    assert!(holds(&reviews, "weight: 100"));
}
