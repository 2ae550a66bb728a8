//! `pilotage schema`: JSON Schema of the kinds, for editors and checks.

use clap::Args;
use pilotage_config::{KindName, json_schema};

use super::CommandError;
use crate::exit::Status;
use crate::output::{self, Format};

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Such as VirtualService, in any letter case; without one, a schema for files with objects of any kind
    #[arg(value_name = "KIND", conflicts_with = "list")]
    kind: Option<String>,

    /// List the kinds and end
    #[arg(short, long)]
    list: bool,
}

/// Prints a schema.
///
/// # Errors
/// When there is no such kind, or the answer cannot be written.
pub(crate) fn run(args: &SchemaArgs) -> Result<Status, CommandError> {
    if args.list {
        let kinds: String = KindName::ALL.iter().map(|kind| format!("{kind}\n")).collect();
        output::print_text(&kinds)?;
        return Ok(Status::Ok);
    }
    let schema = match &args.kind {
        Some(name) => {
            let mut kinds = KindName::ALL.iter();
            let kind =
                kinds.find(|kind| kind.as_str().eq_ignore_ascii_case(name)).ok_or_else(|| {
                    let hint = "`pilotage schema --list` lists those that are read";
                    CommandError::Usage(format!("there is no schema of `{name}`; {hint}"))
                })?;
            json_schema::of_kind(*kind)
        }
        None => json_schema::of_all(),
    };
    output::print_value(&schema, Format::Json)?;
    Ok(Status::Ok)
}
