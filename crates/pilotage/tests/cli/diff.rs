//! `diff`: sides, output and exit codes.

use std::process::Command;

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
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stderr.contains("broken.yaml:1:7: error[PIL0001]"), "{}", done.stderr);
    assert!(done.stdout.contains("becomes  answer 410"), "{}", done.stdout);
}
