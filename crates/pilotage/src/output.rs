//! Printing: formats, tables, YAML.

mod diagnostics;
mod explanation;
mod rows;
mod table;
mod yaml;

use std::io::{self, Write};

use clap::ValueEnum;
use pilotage_config::Diagnostic;
use serde::Serialize;
use serde_json::Value;

pub(crate) use self::diagnostics::diagnostic;
pub(crate) use self::explanation::explanation;
pub(crate) use self::table::Table;

/// In which form to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    Short,
    /// JSON for programs
    Json,
    /// The same as YAML
    Yaml,
}

/// Why an answer could not be printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Standard output is gone or full.
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
    /// A message has no JSON form.
    #[error("cannot write the answer as JSON: {0}")]
    Message(#[from] pilotage_proto::json::JsonError),
    /// JSON itself failed.
    #[error("cannot write the answer as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Prints `value` as JSON or YAML, for programs.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_value(value: &Value, format: Format) -> Result<(), OutputError> {
    if format == Format::Json {
        return print_json(value);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    yaml::write(&mut out, value)?;
    Ok(out.flush()?)
}

/// Prints `value` as JSON, for programs.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), OutputError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    // A reader that has seen enough, such as `head`, is told from JSON that fails.
    let written = serde_json::to_writer_pretty(&mut out, value);
    written.map_err(|error| match error.is_io() {
        true => OutputError::Write(error.into()),
        false => OutputError::Json(error),
    })?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// `value` as YAML, for programs.
///
/// # Errors
/// When it cannot be written, which memory can.
pub(crate) fn yaml_text(value: &Value) -> Result<String, OutputError> {
    let mut bytes = Vec::new();
    yaml::write(&mut bytes, value)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints text for people. Colours are taken out when standard output is no terminal or `NO_COLOR` is set.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_text(text: &str) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints problems that are errors to standard error, a line each, beside an answer that was possible without the
/// objects they are about.
pub(crate) fn print_problems(problems: &[Diagnostic]) {
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        anstream::eprintln!("{problem}");
    }
}
