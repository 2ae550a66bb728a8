//! Which files, and reading them. Every command that works on configuration takes the same flags.

mod discover;
mod load;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use self::discover::discover;
pub(crate) use self::discover::has_known_extension as is_configuration;
pub(crate) use self::load::Configuration;

/// A file above this size is refused: nothing that people write or tools export for traffic is that large, and what
/// is (a core dump, an image) would only be read to be rejected.
const MAX_FILE_BYTES: u64 = pilotage_config::LONGEST_TEXT_BYTES as u64;

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
    /// The path is not there, or may not be read.
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
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
    /// More than [`MAX_FILE_BYTES`].
    #[error("{} is larger than {} MiB; split it into several files", path.display(), MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// The system's words without the error number, which helps nobody.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Reads everything that `paths` name, folders file by file in the order of their names.
///
/// # Errors
/// When nothing is named, or something named cannot be read as text.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<SourceText>, InputError> {
    if paths.is_empty() {
        return Err(InputError::NothingGiven);
    }
    let mut sources = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            sources.push(read_one(path)?);
            continue;
        }
        for file in discover(path)? {
            sources.push(read_file(&file)?);
        }
    }
    Ok(sources)
}

/// Reads everything that `paths` name, as [`read_all`] does, and passes over files that cannot be read as text.
///
/// # Errors
/// When nothing is named, or something named is not there.
fn read_each(paths: &[PathBuf]) -> Result<Vec<Result<SourceText, InputError>>, InputError> {
    if paths.is_empty() {
        return Err(InputError::NothingGiven);
    }
    let mut sources = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            sources.push(read_one(path));
            continue;
        }
        sources.extend(discover(path)?.iter().map(|file| read_file(file)));
    }
    Ok(sources)
}

/// Reads one file, or standard input for `-`.
///
/// # Errors
/// When it cannot be read as text.
pub(crate) fn read_one(path: &Path) -> Result<SourceText, InputError> {
    if path == Path::new("-") { read_from(path, io::stdin().lock()) } else { read_file(path) }
}

/// Reads one file as text.
///
/// # Errors
/// When it cannot be read, is too large, or is not text.
fn read_file(path: &Path) -> Result<SourceText, InputError> {
    let file =
        File::open(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    read_from(path, file)
}

fn read_from(path: &Path, reader: impl io::Read) -> Result<SourceText, InputError> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(InputError::TooLarge { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| InputError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(SourceText { name: path.display().to_string(), text })
}
