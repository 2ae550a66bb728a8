//! Telling that git is in the middle of rewriting a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// The locks that git holds while it rewrites the work trees around some folders.
#[derive(Debug, Default)]
pub struct GitLocks(Vec<PathBuf>);

impl GitLocks {
    /// The locks of the work trees that hold `paths`; empty when none is in one.
    #[must_use]
    pub fn around(paths: &[PathBuf]) -> Self {
        let mut locks: Vec<PathBuf> = paths
            .iter()
            .filter_map(|path| git_folder(path))
            .map(|git| git.join("index.lock"))
            .collect();
        locks.sort();
        locks.dedup();
        Self(locks)
    }

    /// Whether a checkout, merge or the like is under way. A lock that an interrupted git left behind looks the same,
    /// so nobody should wait for long.
    #[must_use]
    pub fn held(&self) -> bool {
        self.0.iter().any(|lock| lock.exists())
    }
}

/// The folder with the index of the work tree that `path` is in.
fn git_folder(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let dot_git = path.ancestors().map(|above| above.join(".git")).find(|git| git.exists())?;
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    // A linked work tree or submodule: a file that says where the folder is.
    let text = fs::read_to_string(&dot_git).ok()?;
    let target = text.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_the_surrounding_work_tree_counts() {
        let temp = tempfile::tempdir().unwrap();
        let mesh = temp.path().join("repo/deploy/mesh");
        fs::create_dir_all(&mesh).unwrap();
        let git = temp.path().join("repo/.git");
        fs::create_dir(&git).unwrap();
        let locks = GitLocks::around(std::slice::from_ref(&mesh));
        assert!(!locks.held());
        fs::write(git.join("index.lock"), "").unwrap();
        assert!(locks.held());
    }

    #[test]
    fn a_linked_work_tree_names_its_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (git, tree) = (temp.path().join("main.git/worktrees/x"), temp.path().join("x"));
        fs::create_dir_all(&git).unwrap();
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join(".git"), "gitdir: ../main.git/worktrees/x\n").unwrap();
        fs::write(git.join("index.lock"), "").unwrap();
        assert!(GitLocks::around(&[tree]).held());
    }
}
