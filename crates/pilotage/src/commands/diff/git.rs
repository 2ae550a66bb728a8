//! Files of a revision, read with the program `git`.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::SideError;
use crate::inputs::{InputError, SourceText, is_configuration, text_of};

/// The files at or below `path` in `revision`, by name; some may be no text. Paths are as seen from the current folder.
pub(super) fn read(
    revision: &str,
    path: &str,
) -> Result<Vec<Result<SourceText, InputError>>, SideError> {
    let named = format!("{revision}:{path}");
    let names = list(revision, path, &named)?;
    let wanted: Vec<String> = match names.as_slice() {
        // A file that is named itself may be called anything.
        [only] if Path::new(only) == Path::new(path) => names,
        _ => names.into_iter().filter(|name| is_configuration(Path::new(name))).collect(),
    };
    if wanted.is_empty() {
        return Err(SideError::Empty(named));
    }
    contents(revision, &wanted, &named)
}

fn list(revision: &str, path: &str, named: &str) -> Result<Vec<String>, SideError> {
    let path = if path.is_empty() { "." } else { path };
    let output = Command::new("git")
        .args(["ls-tree", "-r", "-z", "--name-only", revision, "--", path])
        .output()
        .map_err(|error| SideError::NoGit(named.to_owned(), error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it does not say why");
        let said = said.strip_prefix("fatal: ").unwrap_or(said);
        return Err(SideError::Git(named.to_owned(), said.to_owned()));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let names: Vec<String> =
        names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(SideError::Git(named.to_owned(), "no such path in the revision".to_owned())),
        false => Ok(names),
    }
}

/// All texts through one process: a thousand files are nothing unusual.
fn contents(
    revision: &str,
    names: &[String],
    named: &str,
) -> Result<Vec<Result<SourceText, InputError>>, SideError> {
    let failed = |error| SideError::NoGit(named.to_owned(), error);
    let mut git = Command::new("git")
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (Some(mut input), Some(output)) = (git.stdin.take(), git.stdout.take()) else {
        return Err(failed(std::io::Error::other("it has no pipes")));
    };
    let asked: String = names.iter().map(|name| format!("{revision}:./{name}\n")).collect();
    let mut output = BufReader::new(output);
    let mut sources = Vec::with_capacity(names.len());
    std::thread::scope(|scope| {
        // Both ends at once, as pipes hold only so much.
        scope.spawn(move || input.write_all(asked.as_bytes()));
        for name in names {
            let mut heading = String::new();
            output.read_line(&mut heading).map_err(failed)?;
            let size = heading.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
            let Some(size) = size else {
                let named = format!("{revision}:{name}");
                return Err(SideError::Git(named, heading.trim_end().to_owned()));
            };
            let mut bytes: Vec<u8> = vec![0; size];
            output.read_exact(&mut bytes).map_err(failed)?;
            let mut newline = [0];
            output.read_exact(&mut newline).map_err(failed)?;
            sources.push(text_of(Path::new(&format!("{revision}:{name}")), bytes));
        }
        Ok(())
    })?;
    git.wait().map_err(failed)?;
    Ok(sources)
}
