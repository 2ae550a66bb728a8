//! From a path to the files below it.

use std::fs;
use std::path::{Path, PathBuf};

use super::InputError;

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// The files to read for `path`: itself, or what lies below it in a stable order. Hidden files and folders are left
/// out: editors and version control keep copies there.
///
/// # Errors
/// When the path or a folder below it cannot be read, or nothing to load is found.
pub(super) fn discover(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let kind =
        fs::metadata(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    if !kind.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    walk(path, &mut files)?;
    if files.is_empty() {
        return Err(InputError::EmptyFolder { path: path.to_owned() });
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), InputError> {
    let failed = |source| InputError::Read { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        // A link to a folder is not followed (it may lead round in a circle); a link to a file is, since a mounted
        // ConfigMap consists of such links.
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&path, files)?;
        } else if path.is_file() && has_known_extension(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether the name of `path` says that it holds objects.
pub(crate) fn has_known_extension(path: &Path) -> bool {
    path.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}
