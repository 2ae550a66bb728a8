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
    assert!(done.stdout.starts_with("- code: IST0106\n  level: Error\n"), "{}", done.stdout);
}
