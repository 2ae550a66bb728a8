use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::tree::FileChange;
use super::*;

/// A folder under watch, and what its files held when last looked at.
struct Watched {
    temp: tempfile::TempDir,
    files: Files,
    content: BTreeMap<PathBuf, String>,
}

impl Watched {
    /// Fills the folder `mesh` of a temporary folder with `prepare`, and watches it.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mesh = temp.path().join("mesh");
        fs::create_dir(&mesh).unwrap();
        prepare(&mesh);
        let (files, _) = Files::new(vec![mesh]);
        let mut watched = Self { temp, files, content: BTreeMap::new() };
        let look = watched.files.look();
        assert!(look.unwatched.is_none(), "{:?}", look.unwatched);
        watched.take(look);
        watched
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("mesh").join(name)
    }

    fn take(&mut self, look: Look) -> usize {
        let count = look.scan.changes.len();
        for change in look.scan.changes {
            match change {
                FileChange::Content { path, bytes } => {
                    self.content.insert(path, String::from_utf8(bytes).unwrap());
                }
                FileChange::Gone { path } => {
                    self.content.remove(&path);
                }
            }
        }
        count
    }

    /// Waits until a look finds changes; returns how many. Hangs, and so fails, when none comes.
    fn next(&mut self) -> usize {
        loop {
            let look = self.files.wait().unwrap();
            match self.take(look) {
                0 => {}
                count => return count,
            }
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.content.get(&self.path(name)).map(String::as_str)
    }
}

#[test]
fn a_write_is_noticed() {
    let mut watched = Watched::new(|mesh| fs::write(mesh.join("a.yaml"), "1").unwrap());
    fs::write(watched.path("a.yaml"), "2").unwrap();
    assert_eq!(watched.next(), 1);
    assert_eq!(watched.text("a.yaml"), Some("2"));
}

#[test]
fn an_editors_rename_is_noticed() {
    let mut watched = Watched::new(|mesh| fs::write(mesh.join("a.yaml"), "1").unwrap());
    // As vim does: the old file becomes a backup, the new one is written beside and renamed.
    fs::rename(watched.path("a.yaml"), watched.path("a.yaml~")).unwrap();
    fs::write(watched.path("4913"), "2").unwrap();
    fs::rename(watched.path("4913"), watched.path("a.yaml")).unwrap();
    fs::remove_file(watched.path("a.yaml~")).unwrap();
    watched.next();
    assert_eq!(watched.text("a.yaml"), Some("2"));
    fs::write(watched.path("a.yaml"), "3").unwrap();
    watched.next();
    assert_eq!(watched.text("a.yaml"), Some("3"));
}

#[test]
fn new_folders_are_watched_and_deleted_files_disappear() {
    let mut watched = Watched::new(|_| {});
    fs::create_dir_all(watched.path("x/y")).unwrap();
    fs::write(watched.path("x/y/a.yaml"), "1").unwrap();
    watched.next();
    assert_eq!(watched.text("x/y/a.yaml"), Some("1"));
    fs::write(watched.path("x/y/a.yaml"), "2").unwrap();
    watched.next();
    assert_eq!(watched.text("x/y/a.yaml"), Some("2"));
    fs::remove_dir_all(watched.path("x")).unwrap();
    watched.next();
    assert!(watched.content.is_empty());
}

#[test]
fn a_swap_as_of_a_mounted_config_map_is_noticed() {
    let mut watched = Watched::new(|mesh| {
        for (version, text) in [("..v1", "1"), ("..v2", "2"), ("..v3", "3")] {
            fs::create_dir(mesh.join(version)).unwrap();
            fs::write(mesh.join(version).join("a.yaml"), text).unwrap();
        }
        symlink("..v1", mesh.join("..data")).unwrap();
        symlink("..data/a.yaml", mesh.join("a.yaml")).unwrap();
    });
    assert_eq!(watched.text("a.yaml"), Some("1"));
    for (version, text) in [("..v2", "2"), ("..v3", "3")] {
        symlink(version, watched.path("..data_tmp")).unwrap();
        fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
        watched.next();
        assert_eq!(watched.text("a.yaml"), Some(text));
    }
}

#[test]
fn a_replaced_folder_is_followed() {
    let mut watched = Watched::new(|mesh| fs::write(mesh.join("a.yaml"), "1").unwrap());
    let other = watched.temp.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("a.yaml"), "2").unwrap();
    fs::rename(watched.path(""), watched.temp.path().join("old")).unwrap();
    fs::rename(&other, watched.path("")).unwrap();
    watched.next();
    assert_eq!(watched.text("a.yaml"), Some("2"));
    fs::write(watched.path("a.yaml"), "3").unwrap();
    watched.next();
    assert_eq!(watched.text("a.yaml"), Some("3"));
}

#[test]
fn a_target_outside_of_the_folder_is_watched() {
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("real.yaml");
    fs::write(&target, "1").unwrap();
    let mut watched = Watched::new(|mesh| symlink(&target, mesh.join("a.yaml")).unwrap());
    fs::write(&target, "2").unwrap();
    watched.next();
    assert_eq!(watched.text("a.yaml"), Some("2"));
}

#[test]
fn a_single_file_is_watched_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mesh.conf");
    fs::write(&file, "1").unwrap();
    let (mut files, _) = Files::new(vec![file.clone()]);
    assert_eq!(files.look().scan.changes.len(), 1);
    fs::write(temp.path().join("new"), "2").unwrap();
    fs::rename(temp.path().join("new"), &file).unwrap();
    while files.wait().unwrap().scan.changes.is_empty() {}
}

#[test]
fn a_checkout_is_one_change() {
    let mut watched = Watched::new(|mesh| {
        for i in 0..40 {
            fs::write(mesh.join(format!("{i}.yaml")), "1").unwrap();
        }
    });
    // What git does, with its lock held meanwhile: each file is removed and written anew. It takes longer than any
    // burst may without the lock.
    let git = watched.path(".git");
    fs::create_dir(&git).unwrap();
    watched.files.locks = GitLocks::around(&[watched.path("")]);
    fs::write(git.join("index.lock"), "").unwrap();
    let mesh = watched.path("");
    let checkout = std::thread::spawn(move || {
        let began = Instant::now();
        let mut rounds = 0;
        while rounds == 0 || began.elapsed() < settle::LONGEST * 3 {
            for i in 0..40 {
                let file = mesh.join(format!("{i}.yaml"));
                fs::remove_file(&file).unwrap();
                fs::write(&file, "2").unwrap();
            }
            rounds += 1;
        }
        fs::remove_file(mesh.join(".git/index.lock")).unwrap();
    });
    assert_eq!(watched.next(), 40);
    checkout.join().unwrap();
    assert!(watched.content.values().all(|text| text == "2"));
}

#[test]
fn a_real_checkout_is_one_change() {
    let git = |folder: &Path, arguments: &[&str]| {
        let settings =
            ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
        let output =
            Command::new("git").current_dir(folder).args(settings).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let mut watched = Watched::new(|mesh| {
        if !git(mesh, &["init", "-q"]) {
            return;
        }
        for text in ["1", "2"] {
            for i in 0..300 {
                fs::write(mesh.join(format!("{i}.yaml")), text).unwrap();
            }
            assert!(git(mesh, &["add", "."]) && git(mesh, &["commit", "-qm", text]));
        }
    });
    if watched.content.is_empty() {
        eprintln!("skipped: git is not installed");
        return;
    }
    assert!(git(&watched.path(""), &["checkout", "-q", "HEAD~1"]));
    assert_eq!(watched.next(), 300);
    assert!(watched.content.values().all(|text| text == "1"));
}

#[test]
fn stopping_ends_the_wait() {
    let temp = tempfile::tempdir().unwrap();
    let (mut files, stop) = Files::new(vec![temp.path().to_owned()]);
    files.look();
    stop.stop();
    assert!(files.wait().is_none());
}
