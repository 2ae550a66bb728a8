//! What people see when a file has a mistake: one text, one rendered answer.

use pilotage_config::{Limits, LoadOptions, RenderOptions, load_bytes, load_with};

/// The answer to a text, as on a terminal without colours.
fn answer(text: &str) -> String {
    answer_within(text, Limits::default())
}

fn answer_within(text: &str, limits: Limits) -> String {
    let options = LoadOptions { limits, ..LoadOptions::default() };
    let loaded = load_with("mesh.yaml", text, &options);
    let mut out = String::new();
    for problem in &loaded.diagnostics {
        let rendered = problem.render(&("mesh.yaml", text), &RenderOptions::default());
        for line in rendered.lines() {
            assert!(line.chars().count() <= 100, "too wide: {line}");
        }
        out.push_str(&rendered);
        out.push_str("\n\n");
    }
    out.push_str(&format!("loaded {}, broken {}", loaded.objects.len(), loaded.broken.len()));
    out
}

/// A VirtualService with this `spec`, whose first line is line 5.
fn virtual_service(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: reviews}}\nspec:\n{spec}"
    )
}

macro_rules! answers {
    ($($name:ident: $text:expr;)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(answer(&$text));
        }
    )+};
}

answers! {
    host_with_leading_star: virtual_service(
        "  hosts:\n  - *.example.com\n  - *\n  http:\n  - route:\n    - destinaton: {host: shop}\n",
    );
    star_and_mapping_in_one_item: virtual_service(
        "  hosts:\n    - *.example.com\n      route:\n      - destination:\n        host: shop\n",
    );
    route_under_hosts: virtual_service(
        "  hosts:\n  - shop\n  - route:\n    - destination:\n      host: shop\n      subset: v1\n",
    );
    list_ended_by_a_key_at_the_left: "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - name: v1
labels:
    version: v1
  - name: v2
labels:
    version: v2
";
    labels_beside_subsets: "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - name: v1
labels: {version: v1}
";
    key_in_the_column_of_the_dashes: virtual_service(
        "  hosts: [shop]\n  http:\n    - match:\n      - uri: {prefix: /}\n    route:\n    - destination: {host: shop}\n",
    );
    key_one_column_too_far: virtual_service(
        "  hosts: [shop]\n  http:\n  - route:\n    - destination: {host: shop}\n     timeout: 1s\n",
    );
    fields_that_slipped_out: virtual_service(
        "  hosts: [shop]\n  http:\n  - route:\n    - destination:\n      host: shop\n      subset: v1\n  timeout: 1s\nexportTo: [.]\n",
    );
    unknown_fields: virtual_service(
        "  hosts: [shop]\n  http:\n  - route:\n    - destinaton: {host: shop}\n    timeuot: 1s\n    retry: {attempts: 1}\n    colour: blue\n",
    );
    wrong_types: virtual_service(
        "  hosts: shop\n  exportTo: [1, yes]\n  http:\n  - timeout: 5\n    retries: {attempts: many}\n    route: [null]\n    match: [{uri: /x, port: 70000000000, ignoreUriCase: maybe}]\n  - timeout: 10 seconds\n    redirect: {derivePort: FROM_REQUEST}\n    fault: [delay]\n",
    );
    alternatives_together: virtual_service(
        "  hosts: [shop]\n  http:\n  - match:\n    - uri: {exact: /a, prefix: /b}\n    redirect: {port: 1, derivePort: FROM_REQUEST_PORT}\n",
    );
    one_field_in_two_spellings: virtual_service("  hosts: [shop]\n  exportTo: [.]\n  export_to: [.]\n");
    key_twice: virtual_service("  hosts: [shop]\n  http: []\n  hosts: [other]\n");
    tab: virtual_service("  hosts: [shop]\n\thttp: []\n");
    quote_not_closed: virtual_service("  hosts: [\"shop]\n  http: []\n");
    bracket_not_closed: virtual_service("  hosts: [shop\n");
    colon_in_a_value: virtual_service("  hosts: [shop]\n  http:\n  - name: first: second\n");
    template: virtual_service("  hosts: [{{ .Values.host }}]\n");
    value_with_at_sign: virtual_service("  hosts:\n  - @shop\n");
    unknown_alias: virtual_service("  hosts: *shop\n");
    alias_of_itself: virtual_service("  hosts: &shop [*shop]\n");
    no_name: "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop}\n";
    no_kind: "apiVersion: v1\nmetadata: {name: shop}\n";
    not_a_mapping: "- just\n- a list\n";
    misspelt_kind: "apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}\n";
    wrong_version: "apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}\n";
    kind_without_support: "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n";
    windows_line_endings: virtual_service("  hosts: [shop]\n  hots: [shop]\n").replace('\n', "\r\n");
    secret_with_bad_value: "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {tls.key: p@ssw0rd}\n";
    label_with_a_number: "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1}}\n";
    broken_document_between_good_ones: "\
apiVersion: v1
kind: Namespace
metadata: {name: first}
---
a: [1
---
apiVersion: v1
kind: Namespace
metadata: {name: third}
";
}

#[test]
fn too_large() {
    let limits = Limits { nodes: 50, depth: 12, ..Limits::default() };
    let bomb = "a: &a [x, x, x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n";
    insta::assert_snapshot!(answer_within(bomb, limits));
    let deep = format!("a: {}{}", "[".repeat(20), "]".repeat(20));
    insta::assert_snapshot!(answer_within(&deep, limits));
    let chain = "a: &a [[[[[x]]]]]\nb: &b [[[[*a]]]]\nc: [[[[*b]]]]\n";
    insta::assert_snapshot!(answer_within(chain, limits));
    let long = "a: bcdef\n".repeat(10);
    insta::assert_snapshot!(answer_within(&long, Limits { bytes: 20, ..limits }));
}

#[test]
fn not_text() {
    for (name, bytes) in
        [("zero", &b"a: \0"[..]), ("latin1", b"a: f\xfcr"), ("utf16", b"\xff\xfea\0")]
    {
        let loaded = load_bytes(name, bytes, &LoadOptions::default());
        let rendered: Vec<String> = loaded
            .diagnostics
            .iter()
            .map(|problem| problem.render(&(), &RenderOptions::default()))
            .collect();
        insta::assert_snapshot!(rendered.join("\n\n"));
    }
}

#[test]
fn the_same_problem_as_json_line_and_in_ascii() {
    let text = virtual_service("  hosts: [shop]\n  hots: [shop]\n");
    let loaded = load_with("mesh.yaml", &text, &LoadOptions::default());
    let problem = loaded.diagnostics.first().cloned();
    let json = problem.as_ref().map(|problem| format!("{:#}", problem.to_json()));
    insta::assert_snapshot!(json.unwrap_or_default());
    insta::assert_snapshot!(problem.as_ref().map(ToString::to_string).unwrap_or_default());
    let options = RenderOptions { unicode: false, color: true, width: 60 };
    let colored = problem.map(|problem| problem.render(&("mesh.yaml", text.as_str()), &options));
    insta::assert_snapshot!(colored.unwrap_or_default());
}

#[test]
fn an_endless_line_is_shown_in_part_and_placed_right() {
    let text = format!("a: [{}{}, *.x]", "word, ".repeat(5_000), "é".repeat(300));
    insta::assert_snapshot!(answer(&text));
}

#[test]
fn endless_problems_are_counted() {
    let fields: String = (0..500).map(|number| format!("  field{number}: 1\n")).collect();
    let loaded = load_with("mesh.yaml", &virtual_service(&fields), &LoadOptions::default());
    assert_eq!(loaded.diagnostics.len(), 100);
    let last = loaded.diagnostics.last().map(|problem| problem.notes.join(""));
    assert_eq!(last.as_deref(), Some("400 more problems with this object are not told"));
}
