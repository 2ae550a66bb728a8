//! `diff`: sides, output and exit codes.

use std::process::Command;

use serde_json::Value;

use crate::support::{Folder, pilotage};

const RULES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [a.test]
  http:
  - match: [{uri: {prefix: /api}}]
    directResponse: {status: 200}
  - directResponse: {status: 404}
";

#[expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]
fn git(folder: &Folder, arguments: &[&str]) {
    let who = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
    let done =
        Command::new("git").args(["-C", folder.path()]).args(who).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_revision_is_compared_with_files() {
    let folder = Folder::new();
    folder.write("v.yaml", RULES);
    git(&folder, &["init", "-q"]);
    git(&folder, &["add", "v.yaml"]);
    git(&folder, &["commit", "-q", "-m", "rules"]);
    folder.write("v.yaml", &RULES.replace("200", "204"));
    let diff = |old: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_pilotage"))
            .args(["diff", old, "v.yaml"])
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for old in ["git:HEAD:v.yaml", "HEAD:v.yaml"] {
        let (code, stdout, _) = diff(old);
        assert_eq!(code, Some(1), "{stdout}");
        for part in [
            "1 kind of request changes; every other request is proved unchanged.",
            "was      answer 200",
            "HEAD:v.yaml:8",
            "becomes  answer 204",
            "witness  GET http://a.test/api",
        ] {
            assert!(stdout.contains(part), "no {part:?} in {stdout}");
        }
    }
    let (code, _, stderr) = diff("HEAD:elsewhere");
    assert_eq!(code, Some(65));
    assert_eq!(
        stderr,
        "error: git finds nothing at HEAD:elsewhere: no such path in the revision\n"
    );
    let (code, _, stderr) = diff("nowhere.yaml");
    assert_eq!(code, Some(65));
    assert_eq!(stderr, "error: cannot read nowhere.yaml: there is no such file or folder\n");
}

#[test]
fn a_broken_file_is_told_and_the_others_are_compared() {
    let (old, new) = (Folder::new(), Folder::new());
    old.write("v.yaml", RULES);
    new.write("v.yaml", &RULES.replace("404", "410"));
    new.write("broken.yaml", "kind: [broken\n");
    let done = pilotage(&["diff", old.path(), new.path()]);
    assert_eq!(done.code, 2, "{}", done.stdout);
    assert!(done.stderr.contains("broken.yaml:1:7: error[PIL0001]"), "{}", done.stderr);
    for part in [
        "1 kind of request changes; this holds for a part of the files only",
        "becomes  answer 410",
        "left out, as it cannot be used: ",
        "broken.yaml: a `[` is never closed",
    ] {
        assert!(done.stdout.contains(part), "no {part:?} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("proved"), "{}", done.stdout);
}

#[test]
fn an_answer_without_all_files_is_no_proof() {
    let (old, new) = (Folder::new(), Folder::new());
    for side in [&old, &new] {
        side.write("v.yaml", RULES);
        side.write("w.yaml", &RULES.replace("name: v", "name: w").replace("[a.test]", "{}"));
    }
    new.write("binary.yaml", "kind: \0");
    let done = pilotage(&["diff", old.path(), new.path()]);
    assert_eq!(done.code, 2, "{}", done.stdout);
    assert!(done.stdout.starts_with("no change found, but"), "{}", done.stdout);
    for file in ["w.yaml", "binary.yaml"] {
        let named = format!("{}/{file}", new.path());
        assert!(done.stdout.contains(&named), "no {named} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("proved"), "{}", done.stdout);
    let done = pilotage(&["diff", "-o", "json", old.path(), new.path()]);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["proved"], false);
    assert_eq!(answer["leftOut"].as_array().map(Vec::len), Some(3), "{answer}");
}

#[test]
fn what_is_assumed_is_said() {
    let (old, new) = (Folder::new(), Folder::new());
    old.write("v.yaml", RULES);
    new.write("v.yaml", RULES);
    let done = pilotage(&["diff", old.path(), new.path()]);
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("no request changes: proved"), "{}", done.stdout);
    let assumed = "assumed: HTTP at port 80, as neither side has a service";
    assert!(done.stdout.contains(assumed), "{}", done.stdout);
}

#[test]
fn of_many_kinds_some_are_told_and_the_others_counted() {
    let (old, new) = (Folder::new(), Folder::new());
    let rules = |status: u32| {
        let rule = |n| {
            let status = status + n;
            format!(
                "  - match: [{{uri: {{prefix: /{n}/}}}}]\n    directResponse: {{status: {status}}}\n"
            )
        };
        let head = RULES.split("  - match").next().unwrap_or_default();
        format!("{head}{}", (0..5).map(rule).collect::<String>())
    };
    old.write("v.yaml", &rules(200));
    new.write("v.yaml", &rules(300));
    let done = pilotage(&["diff", "--limit", "2", old.path(), new.path()]);
    assert_eq!(done.code, 1, "{}", done.stdout);
    let first = "5 kinds of request change; every other request is proved unchanged.";
    assert!(done.stdout.starts_with(first), "{}", done.stdout);
    assert_eq!(done.stdout.matches("witness").count(), 2, "{}", done.stdout);
    assert!(done.stdout.contains("… and 3 more kinds: destination in 3"), "{}", done.stdout);
    let json = pilotage(&["diff", "--limit", "2", "-o", "json", old.path(), new.path()]);
    let answer: Value = serde_json::from_str(&json.stdout).unwrap_or_default();
    assert_eq!(answer["views"][0]["moreRequests"]["kinds"], 3, "{answer}");
    let all = pilotage(&["diff", "--limit", "2", "--all", old.path(), new.path()]);
    assert_eq!(all.code, 64);
}

#[test]
fn claims_are_said_not_to_be_known() {
    let folder = Folder::new();
    folder.write(
        "v.yaml",
        "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web}
spec: {selector: {app: web}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [a.test]
  gateways: [web]
  http:
  - match: [{headers: {'@request.auth.claims.group': {exact: admin}}}]
    directResponse: {status: 200}
  - directResponse: {status: 404}
",
    );
    let same = pilotage(&["diff", folder.path(), folder.path()]);
    assert!(same.stdout.contains("assumed: requests without claims"), "{}", same.stdout);
    let told = pilotage(&["explain", "http://a.test/", "--from", "web", "-f", folder.path()]);
    for part in ["no: metadata @request.auth.claims.group", "got nothing: no tokens are read here"]
    {
        assert!(told.stdout.contains(part), "{}", told.stdout);
    }
    let analyzed = pilotage(&["analyze", folder.path()]);
    assert!(analyzed.stdout.contains("PIL0014"), "{}", analyzed.stdout);
}
