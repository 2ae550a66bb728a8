//! Texts and the trees that they are.

use super::{Limits, Node, NodeKind, Parsed, parse};

/// The documents of a text, in a notation in which everything can be seen.
fn documents(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    parse(&"x".into(), text, &Limits::default(), &mut |parsed| match parsed {
        Parsed::Document(document) => out.push(show(&document.node)),
        Parsed::Problem(problem) => out.push(problem.to_string()),
    });
    out
}

fn show(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "null".to_owned(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Int(raw) => format!("int {raw}"),
        NodeKind::Float(raw) => format!("float {raw}"),
        NodeKind::String(text) => format!("{text:?}"),
        NodeKind::Seq(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key, show(&entry.value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[test]
fn styles_and_tags_decide_what_a_scalar_is() {
    assert_eq!(
        documents("- 1\n- '1'\n- !!str 1\n- !!int '1'\n- 1.5\n-\n- on\n- |\n  a\n  b\n"),
        [r#"[int 1, "1", "1", int 1, float 1.5, null, true, "a\nb\n"]"#]
    );
}

#[test]
fn json_is_read_alike() {
    let json = r#"{"a": [1, -2.5e3, true, null, "x\u00e9\n"], "b": {"c": {}}}"#;
    assert_eq!(documents(json), [r#"{a: [int 1, float -2.5e3, true, null, "xé\n"], b: {c: {}}}"#]);
}

#[test]
fn line_endings_and_byte_order_marks_do_not_matter() {
    let expected = [r#"{a: "x", b: [int 1]}"#];
    assert_eq!(documents("a: x\r\nb:\r\n- 1\r\n"), expected);
    assert_eq!(documents("\u{feff}a: x\nb: [1]"), expected);
}

#[test]
fn documents_are_separate() {
    assert_eq!(documents(""), Vec::<String>::new());
    assert_eq!(documents("# nothing\n"), Vec::<String>::new());
    assert_eq!(documents("a: 1\n---\n---\nb: 2\n...\n"), ["{a: int 1}", "null", "{b: int 2}"]);
    assert_eq!(documents("%YAML 1.2\n---\na: 1\n"), ["{a: int 1}"]);
}

#[test]
fn anchors_repeat_values_and_merge_keys_fill_in() {
    assert_eq!(
        documents("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{y: 4}, *a]}\n"),
        ["{a: {x: int 1, y: int 2}, b: {x: int 1, y: int 2}, c: {y: int 3, x: int 1}, \
          d: {y: int 4, x: int 1}}"]
    );
}

#[test]
fn a_broken_document_leaves_the_others_alone() {
    let found = documents("a: 1\n---\nb: [\n---\nc: 3\n");
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.first().map(String::as_str), Some("{a: int 1}"));
    assert_eq!(found.last().map(String::as_str), Some("{c: int 3}"));
}

#[test]
fn values_know_their_place() {
    let text = "a:\n  b: [x, \"yé\", z]\n  c: |\n    text\n";
    let mut seen = false;
    parse(&"x".into(), text, &Limits::default(), &mut |parsed| {
        let Parsed::Document(document) = parsed else { panic!("no problem expected") };
        let list = document.node.get("a").and_then(|a| a.get("b")).unwrap();
        assert_eq!(list.span.slice(text), "[x, \"yé\", z]");
        let NodeKind::Seq(items) = &list.kind else { panic!("a list") };
        assert_eq!(items[1].span.slice(text), "\"yé\"");
        assert_eq!((items[2].span.line, items[2].span.column), (2, 16));
        assert_eq!(document.node.entry("a").unwrap().key_span.slice(text), "a");
        seen = true;
    });
    assert!(seen);
}

#[test]
fn a_large_text_is_read_in_its_order_too() {
    const MANY: usize = 10_000;
    let document = |number: usize| match number % 100 {
        7 => "b: [\n---\n".to_owned(),
        _ => format!("a: {number}\n---\n"),
    };
    let text: String = (0..MANY).map(document).collect();
    let found = documents(&text);
    // Behind the last `---` there is nothing.
    assert_eq!(found.len(), MANY + 1);
    for (number, found) in found.iter().take(MANY).enumerate() {
        match number % 100 {
            7 => assert!(found.contains("a `[` is never closed"), "{found}"),
            _ => assert_eq!(*found, format!("{{a: int {number}}}")),
        }
    }
}
