//! `pilotage explain-code`: what a code of a problem means.

mod pages;

use clap::Args;
use pilotage_config::{Code, codes};
use pilotage_model::analysis::ANALYZERS;

use super::CommandError;
use super::analyze::documentation;
use crate::exit::Status;
use crate::output::{self, Table};

/// Arguments of `explain-code`.
#[derive(Debug, Args)]
pub(crate) struct ExplainCodeArgs {
    /// Such as IST0130 or PIL0305, in any letter case; without one, all are listed
    #[arg(value_name = "CODE")]
    codes: Vec<String>,
}

/// Prints the page of each code.
///
/// # Errors
/// When there is no such code, or the answer cannot be written.
pub(crate) fn run(args: &ExplainCodeArgs) -> Result<Status, CommandError> {
    if args.codes.is_empty() {
        let mut table = Table::new(["CODE", "LEVEL", "NAME"]);
        for code in codes::ALL {
            table.push([code.id(), code.severity().as_str(), code.name()].map(str::to_owned));
        }
        output::print_text(&table.to_string())?;
        return Ok(Status::Ok);
    }
    let mut texts = Vec::new();
    for id in &args.codes {
        let code = Code::find(id).ok_or_else(|| {
            CommandError::Usage(format!(
                "there is no code `{id}`; `pilotage explain-code` lists all"
            ))
        })?;
        texts.push(text(code));
    }
    output::print_text(&texts.join("\n"))?;
    Ok(Status::Ok)
}

/// The page of a code of ours; of Istio's what is known here and where to read more.
fn text(code: Code) -> String {
    if let Some(page) = pages::page(code) {
        return page.to_owned();
    }
    let analyzers: Vec<&str> = ANALYZERS
        .iter()
        .filter(|analyzer| analyzer.codes.contains(&code))
        .map(|analyzer| analyzer.name)
        .collect();
    let mut text = format!("# {code}: {}\n\n{} {}\n", code.name(), level(code), code.explanation());
    if !analyzers.is_empty() {
        text.push_str(&format!("\nReported by {}.\n", analyzers.join(", ")));
    }
    text.push_str(&format!("Istio's page: {}\n", documentation(code)));
    text
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        pilotage_config::Severity::Info => "*Info.*",
        pilotage_config::Severity::Warning => "*Warning.*",
        pilotage_config::Severity::Error => "*Error.*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        for code in codes::ALL {
            let text = text(*code);
            assert!(text.starts_with(&format!("# {code}: {}\n", code.name())), "{code}");
            let own = code.id().starts_with("PIL");
            assert_eq!(pages::page(*code).is_some(), own, "{code} needs docs/codes/{code}.md");
        }
    }
}
