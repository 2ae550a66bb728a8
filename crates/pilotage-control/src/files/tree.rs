//! A set of folders and files, and what changed in them since the last look.
//!
//! Looking is cheap: every file's metadata is compared, and only files whose metadata changed, or that somebody was
//! seen writing, are read. Only files whose content changed are told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A larger file is refused: 10,000 services with their endpoints need a tenth of it.
pub const LARGEST_FILE_BYTES: u64 = pilotage_config::LONGEST_TEXT_BYTES as u64;

/// Folders deeper than this below a given one are not looked at.
const DEEPEST_FOLDER: usize = 32;

/// Why a file or folder could not be read. Its last good content keeps serving.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot read {}: {}", path.display(), reason(error))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The file is larger than [`LARGEST_FILE_BYTES`].
    #[error(
        "{} is larger than {} MiB, so it is not read: split it into several files",
        path.display(),
        LARGEST_FILE_BYTES >> 20
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Folders are nested deeper than any real tree.
    #[error("{} is nested too deeply, so it is not looked at", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
}

/// What happened to one file.
#[derive(Debug)]
pub enum FileChange {
    /// New, or with a new content.
    Content {
        /// The file, as reached from the given paths.
        path: PathBuf,
        /// The whole content.
        bytes: Vec<u8>,
    },
    /// Deleted.
    Gone {
        /// The file.
        path: PathBuf,
    },
}

/// The outcome of one look.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files with a new content and files that are gone, by path.
    pub changes: Vec<FileChange>,
    /// Problems that were not there at the last look. What they hide counts as unchanged.
    pub problems: Vec<FileError>,
}

/// The state of the files at the last look.
#[derive(Debug)]
pub struct Tree {
    roots: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Known>,
    /// Paths with a problem at the last look, so that it is told once.
    troubled: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    hash: u64,
}

/// Metadata that differs whenever the content differs, short of two writes within one tick of the file system's
/// clock. Writes that were seen are therefore told with `touched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// One look in progress. `enter` is called with every folder whose entries matter.
struct Look<'a> {
    scan: Scan,
    touched: &'a BTreeSet<PathBuf>,
    /// Symbolic links to touched files.
    touched_links: BTreeSet<PathBuf>,
    seen: BTreeSet<PathBuf>,
    /// Files and folders that could not be looked at: everything known below them stays.
    hidden: BTreeSet<PathBuf>,
    enter: &'a mut dyn FnMut(&Path),
}

impl Tree {
    /// A tree below `roots`, each a folder or a file, none of which was looked at yet.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots, files: BTreeMap::new(), troubled: BTreeSet::new() }
    }

    /// The given folders and files.
    #[must_use]
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// How many files were there at the last look.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there was no file at the last look.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Looks at every file. Files in `touched` (absolute paths) are read whatever their metadata say. `enter` is called
    /// with each folder that can bring a change before its entries are read, so that a watch on it misses nothing.
    pub fn scan(&mut self, touched: &BTreeSet<PathBuf>, enter: &mut dyn FnMut(&Path)) -> Scan {
        let mut look = Look {
            scan: Scan::default(),
            touched,
            touched_links: BTreeSet::new(),
            seen: BTreeSet::new(),
            hidden: BTreeSet::new(),
            enter,
        };
        for root in self.roots.clone() {
            look.surroundings(&root);
            match fs::metadata(&root) {
                Ok(metadata) if metadata.is_dir() => self.folder(&root, &mut Vec::new(), &mut look),
                Ok(metadata) => self.file(&root, &metadata, &mut look),
                Err(error) => look.problem(FileError::Io { path: root.clone(), error }),
            }
        }
        self.finish(look)
    }

    /// Looks at a folder, unless a symbolic link leads round in a circle. `above` are the folders that hold it.
    fn folder(&mut self, folder: &Path, above: &mut Vec<PathBuf>, look: &mut Look<'_>) {
        if above.len() > DEEPEST_FOLDER {
            look.problem(FileError::TooDeep { path: folder.to_owned() });
            return;
        }
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if above.contains(&real) {
            return;
        }
        above.push(real);
        self.entries(folder, above, look);
        above.pop();
    }

    fn entries(&mut self, folder: &Path, above: &mut Vec<PathBuf>, look: &mut Look<'_>) {
        (look.enter)(folder);
        let entries = fs::read_dir(folder)
            .and_then(|entries| entries.map(entry_of).collect::<io::Result<BTreeMap<_, _>>>());
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                look.problem(FileError::Io { path: folder.to_owned(), error });
                return;
            }
        };
        for (path, is_link) in entries {
            if is_hidden(&path) {
                continue;
            }
            if is_link {
                look.follow(&path);
            }
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.folder(&path, above, look),
                Ok(metadata) if is_configuration(&path) => self.file(&path, &metadata, look),
                Ok(_) => {}
                // Gone between the two calls, or a symbolic link to nothing: not there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => look.problem(FileError::Io { path, error }),
            }
        }
    }

    fn file(&mut self, path: &Path, metadata: &Metadata, look: &mut Look<'_>) {
        if !metadata.is_file() || !look.seen.insert(path.to_owned()) {
            return;
        }
        let stamp = Stamp::new(metadata);
        let known = self.files.get(path);
        if known.is_some_and(|known| known.stamp == stamp) && !look.is_touched(path) {
            return;
        }
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                look.seen.remove(path);
                return;
            }
            Err(problem) => {
                look.problem(problem);
                return;
            }
        };
        let hash = hash(&bytes);
        let same = known.is_some_and(|known| known.hash == hash);
        self.files.insert(path.to_owned(), Known { stamp, hash });
        if !same {
            look.scan.changes.push(FileChange::Content { path: path.to_owned(), bytes });
        }
    }

    /// What is known and was not seen is gone, unless something hid it.
    fn finish(&mut self, look: Look<'_>) -> Scan {
        let Look { mut scan, seen, hidden, .. } = look;
        let gone: Vec<PathBuf> = self
            .files
            .keys()
            .filter(|path| !seen.contains(*path))
            .filter(|path| !path.ancestors().any(|above| hidden.contains(above)))
            .cloned()
            .collect();
        for path in gone {
            self.files.remove(&path);
            scan.changes.push(FileChange::Gone { path });
        }
        scan.changes.sort_by(|a, b| a.path().cmp(b.path()));
        scan.problems.retain(|problem| !self.troubled.contains(problem.path()));
        self.troubled = hidden;
        scan
    }
}

impl Look<'_> {
    /// A root may be replaced as a whole, by a rename or another target of a symbolic link.
    fn surroundings(&mut self, root: &Path) {
        if let Ok(root) = std::path::absolute(root)
            && let Some(above) = root.parent()
        {
            (self.enter)(above);
        }
        self.follow(root);
    }

    /// A symbolic link's target changes where it is.
    fn follow(&mut self, link: &Path) {
        let Ok(target) = link.canonicalize() else { return };
        if let Some(above) = target.parent() {
            (self.enter)(above);
        }
        if self.touched.contains(&target) {
            self.touched_links.insert(link.to_owned());
        }
    }

    fn is_touched(&self, path: &Path) -> bool {
        self.touched_links.contains(path)
            || std::path::absolute(path).is_ok_and(|path| self.touched.contains(&path))
    }

    fn problem(&mut self, problem: FileError) {
        self.hidden.insert(problem.path().to_owned());
        self.scan.problems.push(problem);
    }
}

impl FileChange {
    /// The file that changed.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Content { path, .. } | Self::Gone { path } => path,
        }
    }
}

impl FileError {
    /// The file or folder with the problem.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. } | Self::TooLarge { path } | Self::TooDeep { path } => path,
        }
    }
}

impl Stamp {
    #[cfg(unix)]
    fn new(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            inode: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    #[cfg(not(unix))]
    fn new(metadata: &Metadata) -> Self {
        let since =
            metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let since = since.unwrap_or_default();
        let changed =
            (i64::try_from(since.as_secs()).unwrap_or_default(), i64::from(since.subsec_nanos()));
        Self { inode: (0, 0), length: metadata.len(), modified, changed: (0, 0) }
    }
}

/// The path of a folder's entry, and whether it is a symbolic link.
fn entry_of(entry: io::Result<fs::DirEntry>) -> io::Result<(PathBuf, bool)> {
    let entry = entry?;
    Ok((entry.path(), entry.file_type().is_ok_and(|kind| kind.is_symlink())))
}

/// Whether a folder's entry is outside of what users mean by "the files in it": version control, editors' swap
/// files, and the folders behind a mounted ConfigMap, whose files are reached through links beside them.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file in a folder is read: `*.yaml`, `*.yml`, `*.json`. A file that is given by name always is.
#[must_use]
pub fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// The system's words without the number of the error, which helps nobody.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// What the file `path` holds.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = File::open(path);
    read_from(path, file.map_err(|error| FileError::Io { path: path.to_owned(), error })?)
}

/// What `reader` gives to its end; errors name it `path`.
///
/// # Errors
/// When it cannot be read, or is too large.
pub fn read_from(path: &Path, reader: impl io::Read) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = reader.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| FileError::Io { path: path.to_owned(), error })?;
    if u64::try_from(length).is_ok_and(|length| length > LARGEST_FILE_BYTES) {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests;
