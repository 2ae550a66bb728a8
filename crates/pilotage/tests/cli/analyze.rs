//! `analyze`: output and exit codes.

use serde_json::{Value, json};

use crate::support::{Folder, pilotage};

const GOOD: &str = "
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
";

const MISSPELT: &str = "
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destinaton: {host: reviews}}]}]
";

#[test]
fn clean_files_give_an_empty_list_and_exit_0() {
    let folder = Folder::new();
    folder.write("good.yaml", GOOD);
    let done = pilotage(&["analyze", "-A", "-o", "json", folder.path()]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "[]\n"));

    let done = pilotage(&["analyze", folder.path()]);
    assert_eq!(done.stdout, "1 file, 2 objects: 0 errors, 0 warnings\n");
}

#[test]
fn a_misspelt_field_is_reported_in_istioctls_form_and_exits_79() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let file = folder.file("bad.yaml");
    let file = file.to_str().unwrap();
    let done = pilotage(&["analyze", "-A", "-o", "json", file]);
    assert_eq!(done.code, 79);
    let messages: Value = serde_json::from_str(&done.stdout).unwrap();
    let mut all = messages.as_array().unwrap().iter();
    let message = all.find(|message| message["code"] == json!("IST0106")).unwrap();
    assert_eq!(message["origin"], json!("VirtualService shop/reviews"));
    assert_eq!(message["level"], json!("Error"));
    assert_eq!(message["reference"], json!(format!("{file}:12")));
    assert!(message["message"].as_str().unwrap().contains("destinaton"), "{message}");
}

#[test]
fn people_see_the_line_and_the_help() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let done = pilotage(&["analyze", "-f", folder.path()]);
    assert_eq!(done.code, 79);
    assert!(done.stdout.contains("error[IST0106]"), "{}", done.stdout);
    assert!(done.stdout.contains("http: [{route: [{destinaton:"), "{}", done.stdout);
    assert!(done.stdout.contains("did you mean `destination`?"), "{}", done.stdout);
    assert!(done.stdout.contains("\n1 file, 2 objects: "), "{}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}'), "colours in a pipe: {}", done.stdout);
}

#[test]
fn a_namespace_narrows_the_answer() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let done = pilotage(&["analyze", "-n", "default", "-o", "json", folder.path()]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "[]\n"));
}

#[test]
fn the_threshold_decides_about_the_exit_code_only() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let done = pilotage(&["analyze", "--output-threshold", "Error", "-o", "yaml", folder.path()]);
    assert_eq!(done.code, 79);
    assert!(done.stdout.contains("- code: IST0106\n  documentationUrl: "), "{}", done.stdout);
    let done = pilotage(&["analyze", "--output-threshold", "Error", folder.path()]);
    assert_eq!(done.code, 79);
    let lax = pilotage(&["analyze", "--failure-threshold=Warning", folder.path()]);
    assert_eq!(lax.code, 79);
}

#[test]
fn what_counts_for_the_exit_code_need_not_be_shown() {
    let folder = Folder::new();
    folder.write("namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    let flags = ["analyze", "--failure-threshold=Info", "--output-threshold=Warning", "-o", "json"];
    let done = pilotage(&[&flags[..], &[folder.path()]].concat());
    assert_eq!((done.code, done.stdout.as_str()), (79, "[]\n"));
    let done = pilotage(&["analyze", folder.path()]);
    assert_eq!(done.code, 0);
    assert!(
        done.stdout.ends_with(": 0 errors, 0 warnings, 1 for information\n"),
        "{}",
        done.stdout
    );
}

#[test]
fn json_and_lines_are_those_of_istioctl() {
    let folder = Folder::new();
    folder.write("namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    let file = folder.file("namespace.yaml");
    let file = file.to_str().unwrap();
    let text = "The namespace is not enabled for Istio injection. Run 'kubectl label namespace shop \
                istio-injection=enabled' to enable it, or 'kubectl label namespace shop istio-injection=disabled' to \
                explicitly mark it as not needing injection.";
    let url =
        "https://istio.io/latest/docs/reference/config/analysis/ist0102/?ref=istioctl-analyze";
    let done = pilotage(&["analyze", "-o", "json", file]);
    let expected = format!(
        "[\n\t{{\n\t\t\"code\": \"IST0102\",\n\t\t\"documentationUrl\": \"{url}\",\n\t\t\"level\": \"Info\",\n\t\t\"message\": \
         \"{text}\",\n\t\t\"origin\": \"Namespace shop\",\n\t\t\"reference\": \"{file}:3\"\n\t}}\n]\n"
    );
    assert_eq!(done.stdout, expected);
    let done = pilotage(&["analyze", "-o", "log", file]);
    assert_eq!(done.stdout, format!("Info [IST0102] (Namespace shop {file}:3) {text}\n"));
}

#[test]
fn codes_can_be_silenced_for_objects() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let of =
        |suppression: &str| pilotage(&["analyze", "-o", "json", "-S", suppression, folder.path()]);
    let count = |done: &crate::support::Done| {
        serde_json::from_str::<Value>(&done.stdout).unwrap().as_array().unwrap().len()
    };
    let all = count(&of("IST0109=*"));
    assert_eq!(count(&of("IST0106=VirtualService *.shop")), all - 1);
    assert_eq!(count(&of("IST0106=VirtualService shop/reviews")), all - 1);
    assert_eq!(count(&of("IST0106=VirtualService reviews.default")), all);
    let unknown = of("IST9999=*");
    assert!(unknown.stderr.contains("there is no code IST9999"), "{}", unknown.stderr);
    assert_eq!(of("nonsense").code, 64);
}

#[test]
fn analyzers_are_listed_and_chosen_by_name() {
    let list = pilotage(&["analyze", "-L"]);
    assert_eq!(list.code, 0);
    for name in ["virtualservice.GatewayAnalyzer", "schema.ValidationAnalyzer.VirtualService"] {
        assert!(list.stdout.contains(&format!("* {name}:\n    ")), "{}", list.stdout);
    }
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let of = |name: &str| pilotage(&["analyze", "--analyzer", name, "-o", "json", folder.path()]);
    assert_eq!(of("virtualservice.GatewayAnalyzer").stdout, "[]\n");
    assert!(of("schema.ValidationAnalyzer.VirtualService").stdout.contains("IST0106"));
    let unknown = of("nobody");
    assert_eq!(unknown.code, 64);
    assert!(unknown.stderr.contains("--list-analyzers"), "{}", unknown.stderr);
}

#[test]
fn a_broken_file_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    folder.write("template.yaml", "{{ if .Values.on }}\n- a: [\n");
    std::fs::write(folder.file("binary.yaml"), [0xff, 0xfe, 0, 1]).unwrap();
    let done = pilotage(&["analyze", "-o", "json", folder.path()]);
    assert_eq!(done.code, 79);
    for code in ["IST0106", "PIL0001", "PIL0003"] {
        assert!(done.stdout.contains(code), "{}", done.stdout);
    }
    std::fs::remove_file(folder.file("bad.yaml")).unwrap();
    assert_eq!(pilotage(&["analyze", folder.path()]).code, 65);
    let lenient = pilotage(&["analyze", "--ignore-unknown", "-o", "json", folder.path()]);
    assert_eq!((lenient.code, lenient.stdout.as_str()), (0, "[]\n"));
}

#[test]
fn code_scanning_gets_sarif() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let done = pilotage(&["analyze", "-o", "sarif", folder.path()]);
    assert_eq!(done.code, 79);
    let log: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(log["version"], json!("2.1.0"));
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == json!("IST0106")).unwrap();
    let rule = &run["tool"]["driver"]["rules"]
        [usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], json!("IST0106"));
    let place = &result["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///"));
    assert_eq!(place["region"], json!({"startLine": 12, "startColumn": 20, "endColumn": 30}));
}

#[test]
fn workflows_get_annotations() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    let done = pilotage(&["analyze", "-o", "github", folder.path()]);
    let file = folder.file("bad.yaml");
    let begin =
        format!("::error file={},line=12,col=20,endColumn=30,title=IST0106 ", file.display());
    assert!(done.stdout.lines().any(|line| line.starts_with(&begin)), "{}", done.stdout);
}

#[test]
fn colours_can_be_asked_for_and_a_cluster_cannot() {
    let folder = Folder::new();
    folder.write("bad.yaml", MISSPELT);
    assert!(pilotage(&["analyze", "--color", folder.path()]).stdout.contains('\u{1b}'));
    assert!(!pilotage(&["analyze", "--color=false", folder.path()]).stdout.contains('\u{1b}'));
    assert_eq!(pilotage(&["analyze", "--use-kube=false", folder.path()]).code, 79);
    assert_eq!(pilotage(&["analyze", "-k", folder.path()]).code, 64);
}

#[test]
fn a_rule_whose_requests_all_go_elsewhere_is_proved_and_told_once() {
    let page = include_str!("../../../../docs/codes/PIL0315.md");
    let examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let [bad, good] = examples.collect::<Vec<_>>().try_into().unwrap();
    let folder = Folder::new();
    folder.write("v.yaml", good);
    let done = pilotage(&["analyze", folder.path()]);
    assert!(!done.stdout.contains("PIL0315"), "{}", done.stdout);

    folder.write("v.yaml", bad);
    let done = pilotage(&["analyze", folder.path()]);
    for part in [
        "warning[PIL0315]: rule `http[2]` is never reached: http[0] and http[1] together take every request",
        "gets no requests",
        "for instance GET http://a.test/api/v0 goes here",
        "takes some of them",
        "put it before them, or remove it",
    ] {
        assert!(done.stdout.contains(part), "no {part:?} in {}", done.stdout);
    }

    // Another analyzer tells the same already.
    let longer = bad.replace("{regex: '/(api|web)/v[0-9]'}", "{prefix: /web/v1}");
    folder.write("v.yaml", &longer);
    let done = pilotage(&["analyze", folder.path()]);
    assert!(done.stdout.contains("IST0131") && !done.stdout.contains("PIL0315"), "{}", done.stdout);
}
