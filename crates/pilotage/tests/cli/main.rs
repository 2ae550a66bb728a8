//! The binary as scripts see it: output and exit codes.

mod analyze;
mod diff;
mod explain;
mod papers;
mod proxy;
mod proxy_config;
mod support;
mod test;

use std::fs;

use support::{Folder, pilotage};

#[test]
fn no_command_is_a_usage_error_and_help_is_not() {
    let done = pilotage(&[]);
    assert_eq!(done.code, 64);
    assert!(done.stderr.contains("Usage: pilotage"), "{}", done.stderr);

    let done = pilotage(&["--help"]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.contains("proxy-config"), "{}", done.stdout);
}

#[test]
fn an_unknown_flag_is_named() {
    let done = pilotage(&["proxy-config", "all", "--nonsense"]);
    assert_eq!(done.code, 64);
    assert!(done.stderr.contains("--nonsense"), "{}", done.stderr);
}

#[test]
fn files_are_required() {
    let done = pilotage(&["proxy-config", "routes"]);
    assert_eq!(done.code, 64);
    assert_eq!(done.stderr, "error: no files: name a file or folder with -f PATH\n");
}

#[test]
fn a_malformed_label_is_a_usage_error() {
    let done = pilotage(&["proxy-config", "routes", "-f", ".", "--labels", "app"]);
    assert_eq!(done.code, 64);
    assert_eq!(done.stderr, "error: --labels: `app` is not of the form key=value\n");
}

#[test]
fn a_missing_path_is_bad_data_with_one_message() {
    let done = pilotage(&["proxy-config", "all", "-f", "/nowhere/mesh"]);
    assert_eq!(done.code, 65);
    assert_eq!(done.stderr, "error: cannot read /nowhere/mesh: there is no such file or folder\n");
    assert_eq!(done.stdout, "");
}

#[test]
fn an_empty_folder_is_bad_data() {
    let folder = Folder::new();
    folder.write("notes.txt", "nothing to load");
    let done = pilotage(&["proxy-config", "all", "-f", folder.path()]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("holds no *.yaml, *.yml or *.json file"), "{}", done.stderr);
}

#[test]
fn binary_junk_is_bad_data() {
    let folder = Folder::new();
    fs::write(folder.file("junk.yaml"), [b'a', 0xff, 0xfe, 0x00]).unwrap();
    let done = pilotage(&["proxy-config", "all", "-f", folder.path()]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("is not a text file (byte 1 is not UTF-8)"), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let file = fs::File::create(folder.file("huge.yaml")).unwrap();
    file.set_len(129 << 20).unwrap();
    let done = pilotage(&["proxy-config", "all", "-f", folder.path()]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("larger than 128 MiB"), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn an_unreadable_folder_is_bad_data() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let inner = folder.file("closed");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o000)).unwrap();
    let readable_anyway = fs::read_dir(&inner).is_ok();
    let done = pilotage(&["proxy-config", "all", "-f", folder.path()]);
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
    if readable_anyway {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("permission denied"), "{}", done.stderr);
}
