use std::os::unix::fs::symlink;

use super::*;

fn look(tree: &mut Tree) -> Scan {
    tree.scan(&BTreeSet::new(), &mut |_| {})
}

/// What changed, as `+name` and `-name`, by file name.
fn names(scan: &Scan) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    scan.changes
        .iter()
        .map(|change| match change {
            FileChange::Content { path, .. } => format!("+{}", name(path)),
            FileChange::Gone { path } => format!("-{}", name(path)),
        })
        .collect()
}

#[test]
fn only_changes_are_told() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    fs::create_dir(at(".git")).unwrap();
    for name in ["a.yaml", "sub/b.yml", "c.json", "readme.md", ".git/d.yaml", ".e.yaml.swp"] {
        fs::write(at(name), name).unwrap();
    }
    let mut tree = Tree::new(vec![temp.path().to_owned()]);
    assert_eq!(names(&look(&mut tree)), ["+a.yaml", "+c.json", "+b.yml"]);
    assert!(look(&mut tree).changes.is_empty());

    fs::write(at("a.yaml"), "other").unwrap();
    fs::remove_file(at("sub/b.yml")).unwrap();
    assert_eq!(names(&look(&mut tree)), ["+a.yaml", "-b.yml"]);

    // A save that changes nothing is no change.
    fs::write(at("new"), "other").unwrap();
    fs::rename(at("new"), at("a.yaml")).unwrap();
    assert!(look(&mut tree).changes.is_empty());
}

#[test]
fn a_touched_file_is_read_whatever_its_metadata_say() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("a.yaml");
    fs::write(&file, "1").unwrap();
    let mut tree = Tree::new(vec![temp.path().to_owned()]);
    look(&mut tree);
    // As if the second write fell into the same tick of the clock.
    fs::write(&file, "2").unwrap();
    let stamp = Stamp::new(&fs::metadata(&file).unwrap());
    tree.files.get_mut(&file).unwrap().stamp = stamp;
    assert!(look(&mut tree).changes.is_empty());
    assert_eq!(names(&tree.scan(&BTreeSet::from([file]), &mut |_| {})), ["+a.yaml"]);
}

#[test]
fn a_swapped_link_is_followed_like_a_mounted_config_map() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    for (version, text) in [("..v1", "one"), ("..v2", "two")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("a.yaml"), text).unwrap();
    }
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/a.yaml", at("a.yaml")).unwrap();
    let mut tree = Tree::new(vec![temp.path().to_owned()]);
    assert_eq!(names(&look(&mut tree)), ["+a.yaml"]);
    symlink("..v2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    assert_eq!(names(&look(&mut tree)), ["+a.yaml"]);
}

#[test]
fn what_cannot_be_read_stays_and_is_told_once() {
    let temp = tempfile::tempdir().unwrap();
    let mesh = temp.path().join("mesh");
    fs::create_dir(&mesh).unwrap();
    fs::write(mesh.join("a.yaml"), "1").unwrap();
    let mut tree = Tree::new(vec![mesh.clone()]);
    look(&mut tree);
    fs::rename(&mesh, temp.path().join("elsewhere")).unwrap();
    let scan = look(&mut tree);
    assert!(scan.changes.is_empty());
    assert!(matches!(&scan.problems[..], [FileError::Io { path, .. }] if *path == mesh));
    assert!(look(&mut tree).problems.is_empty());
    assert_eq!(tree.len(), 1);
    fs::rename(temp.path().join("elsewhere"), &mesh).unwrap();
    fs::remove_file(mesh.join("a.yaml")).unwrap();
    assert_eq!(names(&look(&mut tree)), ["-a.yaml"]);
}

#[test]
fn cycles_of_links_end() {
    let temp = tempfile::tempdir().unwrap();
    symlink(temp.path(), temp.path().join("again")).unwrap();
    fs::write(temp.path().join("a.yaml"), "1").unwrap();
    let scan = look(&mut Tree::new(vec![temp.path().to_owned()]));
    assert_eq!(names(&scan), ["+a.yaml"]);
}

#[test]
fn folders_are_entered_before_they_are_read() {
    let temp = tempfile::tempdir().unwrap();
    let mesh = temp.path().join("mesh");
    fs::create_dir_all(mesh.join("sub")).unwrap();
    let mut entered = Vec::new();
    Tree::new(vec![mesh.clone()])
        .scan(&BTreeSet::new(), &mut |folder| entered.push(folder.to_owned()));
    assert!(entered.contains(&temp.path().to_owned()));
    assert!(entered.contains(&mesh));
    assert!(entered.contains(&mesh.join("sub")));
}
