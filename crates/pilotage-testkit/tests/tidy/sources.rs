//! Rules for source files.

use pilotage_testkit::workspace::{File, assert_none, files};

/// Longer files say more than one thing.
const LONGEST_FILE_LINES: usize = 800;
/// Longer functions do more than one thing. The aim is 70 lines; a table may be a little longer.
const LONGEST_FUNCTION_LINES: usize = 80;
/// Functions that are one long list: file, name.
const LISTS: [(&str, &str); 1] =
    [("crates/pilotage-engine/src/http_manager/compile.rs", "compile")];
/// Larger files do not belong into a repository.
const LARGEST_FILE_BYTES: u64 = 600_000;

#[test]
fn no_file_is_too_long() {
    let all = files();
    let long = all.iter().filter(|f| f.is_rust()).filter_map(|f| {
        let lines = f.lines().count();
        (lines > LONGEST_FILE_LINES).then(|| format!("{}: {lines} lines", f.path))
    });
    assert_none(
        &long.collect::<Vec<_>>(),
        "a Rust file has at most 800 lines; split it by concept",
    );
}

#[test]
fn no_function_is_too_long() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.is_rust()) {
        for (line, name, length) in functions(file) {
            let is_list = LISTS.contains(&(file.path.as_str(), name.as_str()));
            if length > LONGEST_FUNCTION_LINES && !is_list {
                findings.push(format!("{}:{line}: {name}: {length} lines", file.path));
            }
        }
    }
    assert_none(&findings, "a function has about 70 lines at most");
}

/// The shipped functions of a formatted file: first line, name, number of lines from there to the closing brace.
fn functions(file: &File) -> Vec<(usize, String, usize)> {
    let lines: Vec<(usize, &str)> = file.shipped_lines().collect();
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else { continue };
        let closing = format!("{}}}", &line[..indent]);
        let end = lines[index..].iter().position(|(_, l)| *l == closing);
        let declared = lines[index..].iter().position(|(_, l)| l.trim_end().ends_with(';'));
        let opened = lines[index..].iter().position(|(_, l)| l.trim_end().ends_with('{'));
        let has_body = opened.is_some() && declared.is_none_or(|d| opened.unwrap_or(d) <= d);
        if let (Some(end), true) = (end, has_body) {
            found.push((*number, name, end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    loop {
        match words.next()? {
            "fn" => break,
            "pub" | "const" | "async" | "unsafe" => {}
            word if word.starts_with("pub(") => {}
            _ => return None,
        }
    }
    let name = words.next()?;
    Some(name.split(['(', '<']).next().unwrap_or(name).to_owned())
}

#[test]
fn functions_are_measured() {
    let text = "pub(crate) fn a<T>(\n    x: T,\n) {\n    y();\n}\n\ntrait T {\n    fn b();\n    fn c() {\n    }\n}\n";
    let file = File { path: "crates/x/src/a.rs".into(), text: Some(text.into()), bytes: 0 };
    assert_eq!(functions(&file), [(1, "a".into(), 5), (9, "c".into(), 2)]);
}

#[test]
fn nothing_is_left_open() {
    // In pieces, so that this file is no finding of its own.
    let loose = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("#[igno", "re]"),
        concat!("dbg", "!("),
    ];
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.is_rust()) {
        for (number, line) in file.lines() {
            let found = loose.iter().filter(|what| line.contains(**what));
            findings.extend(found.map(|what| format!("{}:{number}: {what}", file.path)));
        }
    }
    assert_none(
        &findings,
        "what is not built yet is a diagnostic that a user sees, not a note in the code",
    );
}

#[test]
fn no_test_sleeps_for_a_fixed_time() {
    let sleeps = [concat!("thread::", "sleep("), concat!("time::", "sleep(")];
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| f.is_rust()) {
        let shipped = file.shipped_lines().count();
        for (number, line) in file.lines().skip(shipped) {
            let waits = sleeps.iter().any(|sleep| line.contains(sleep));
            // A pause between two looks at a condition is no fixed wait, nor is the pace of a slow peer; they say so.
            let told = ["// between two looks", "// the pace under test"];
            if waits && !told.iter().any(|reason| line.contains(reason)) {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none(&findings, "a test waits for a condition, not for a time");
}

#[test]
fn nothing_names_the_machine_that_it_was_written_on() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Vec::new();
    for file in files() {
        for (number, line) in file.lines() {
            if places.iter().any(|place| line.contains(place)) {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none(&findings, "paths of one machine mean nothing on another");
}

#[test]
fn no_module_is_a_drawer() {
    const DRAWERS: [&str; 7] =
        ["mod.rs", "util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "types.rs"];
    let all = files();
    let found = all.iter().filter(|f| DRAWERS.iter().any(|d| f.path.ends_with(&format!("/{d}"))));
    assert_none(
        &found.map(|f| f.path.clone()).collect::<Vec<_>>(),
        "a module is named for what it holds",
    );
}

#[test]
fn no_file_is_too_large() {
    let all = files();
    let large = all.iter().filter(|f| f.bytes > LARGEST_FILE_BYTES);
    let findings: Vec<_> = large.map(|f| format!("{}: {} bytes", f.path, f.bytes)).collect();
    assert_none(&findings, "what is built or downloaded stays out of the repository");
}
