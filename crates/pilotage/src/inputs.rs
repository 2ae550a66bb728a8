//! Which files, and reading them. Every command that works on configuration takes the same flags.

mod load;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
pub(crate) use pilotage_control::files::tree::is_configuration;
use pilotage_control::files::tree::{self, FileChange, FileError, Scan, Tree};

pub(crate) use self::load::Configuration;

/// The files a command works on.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct InputArgs {
    /// File or folder with Kubernetes and Istio objects; folders are read with everything below them
    /// (*.yaml, *.yml, *.json). Repeatable. `-` reads standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,

    /// MeshConfig, as YAML; without it, the ConfigMap `istio` among the files counts
    #[arg(long = "meshConfigFile", alias = "mesh-config-file", value_name = "FILE")]
    pub(crate) mesh_config_file: Option<PathBuf>,
}

/// One text to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceText {
    /// What to call it in messages: the path as given.
    pub(crate) name: String,
    /// What it says.
    pub(crate) text: String,
}

/// Why the input could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// No path at all.
    #[error("no files: name a file or folder with -f PATH")]
    NothingGiven,
    /// A file or folder is not there, or may not be read.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// The folder has nothing to load.
    #[error("{} holds no *.yaml, *.yml or *.json file", path.display())]
    EmptyFolder {
        /// Which.
        path: PathBuf,
    },
    /// Not text.
    #[error("{} is not a text file (byte {offset} is not UTF-8)", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// The first byte that is not text.
        offset: usize,
    },
}

/// Reads everything that `paths` name, folders file by file in the order of their names.
///
/// # Errors
/// When nothing is named, or something named cannot be read as text.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<SourceText>, InputError> {
    read_each(paths)?.into_iter().collect()
}

/// Reads everything that `paths` name, as [`read_all`] does, and passes over files that cannot be read as text.
///
/// # Errors
/// When nothing is named, or something named is not there.
pub(crate) fn read_each(
    paths: &[PathBuf],
) -> Result<Vec<Result<SourceText, InputError>>, InputError> {
    if paths.is_empty() {
        return Err(InputError::NothingGiven);
    }
    let mut sources = Vec::new();
    for path in paths {
        if is_folder(path)? {
            sources.extend(read_folder(path)?);
        } else {
            sources.push(read_one(path));
        }
    }
    Ok(sources)
}

fn is_folder(path: &Path) -> Result<bool, FileError> {
    let there = |error| FileError::Io { path: path.to_owned(), error };
    Ok(path != Path::new("-") && fs::metadata(path).map_err(there)?.is_dir())
}

/// Reads the files in a folder and below it: the same ones that are watched when the folder is served.
fn read_folder(path: &Path) -> Result<Vec<Result<SourceText, InputError>>, InputError> {
    let Scan { changes, problems } =
        Tree::new(vec![path.to_owned()]).scan(&BTreeSet::new(), &mut |_watched| {});
    let files = changes.into_iter().filter_map(|change| match change {
        FileChange::Content { path, bytes } => Some(text_of(&path, bytes)),
        FileChange::Gone { .. } => None,
    });
    let problems = problems.into_iter().map(|problem| Err(problem.into()));
    let all: Vec<_> = problems.chain(files).collect();
    if all.is_empty() {
        return Err(InputError::EmptyFolder { path: path.to_owned() });
    }
    Ok(all)
}

/// Reads one file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read, is too large, or is not text.
pub(crate) fn read_one(path: &Path) -> Result<SourceText, InputError> {
    let bytes = if path == Path::new("-") {
        tree::read_from(path, io::stdin().lock())?
    } else {
        tree::read(path)?
    };
    text_of(path, bytes)
}

/// The text of a file that holds `bytes`.
///
/// # Errors
/// When it is not text.
pub(crate) fn text_of(path: &Path, bytes: Vec<u8>) -> Result<SourceText, InputError> {
    let text = String::from_utf8(bytes).map_err(|error| InputError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(SourceText { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_read_as_it_is_served() {
        let [folder, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        for name in ["b.yaml", "sub/a.YML", "notes.md", ".hidden.yaml"] {
            fs::write(at(name), name).unwrap();
        }
        fs::write(elsewhere.path().join("c.json"), "c").unwrap();
        symlink(elsewhere.path(), at("linked")).unwrap();
        symlink(folder.path(), at("circle")).unwrap();
        symlink("nowhere", at("gone.yaml")).unwrap();
        let read = read_all(&[folder.path().to_owned()]).unwrap();
        let names: Vec<PathBuf> = read.iter().map(|source| PathBuf::from(&source.name)).collect();
        assert_eq!(names, [at("b.yaml"), at("linked/c.json"), at("sub/a.YML")]);
        let nothing = read_all(&[at("sub/none")]).unwrap_err();
        assert!(nothing.to_string().ends_with("there is no such file or folder"), "{nothing}");
    }
}
