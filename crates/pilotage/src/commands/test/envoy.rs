//! Test files of Envoy's router_check_tool.

use std::path::Path;
use std::sync::Arc;

use pilotage_config::{Diagnostic, codes};
use pilotage_engine::Severity;
use pilotage_route_test::Report;
use pilotage_route_test::router_check::file::TestFile;
use pilotage_route_test::router_check::{self, Counting, Routes};

use super::{Refusal, TestArgs};
use crate::commands::CommandError;
use crate::envoy_text::EnvoyText;
use crate::inputs;
use crate::output;

/// Runs the test files on the route configuration at `path`.
///
/// # Errors
/// When a file cannot be read. What is wrong inside of files is the inner error.
pub(super) fn run(args: &TestArgs, path: &Path) -> Result<Result<Report, Refusal>, CommandError> {
    let mut refusal = Refusal::default();
    let source = inputs::read_one(path)?;
    let text = EnvoyText::parse(source, codes::PIL0204, "a route configuration", "virtual_hosts");
    refusal.sources.insert(text.name.to_string(), text.text.clone());
    let routes = match routes(&text) {
        Ok((routes, warnings)) => {
            for warning in warnings {
                let told = output::diagnostic(&warning, &refusal.sources);
                anstream::eprintln!("{told}\n");
            }
            Some(routes)
        }
        Err(problems) => {
            refusal.problems.extend(problems);
            None
        }
    };
    let mut files = Vec::new();
    for path in &args.tests {
        let source = inputs::read_one(path)?;
        let name: Arc<str> = source.name.as_str().into();
        match TestFile::read(&name, &source.text) {
            Ok(file) => files.push(file),
            Err(problems) => refusal.problems.extend(problems),
        }
        refusal.sources.insert(source.name, source.text);
    }
    let Some(routes) = routes.filter(|_| refusal.problems.is_empty()) else {
        return Ok(Err(refusal));
    };
    let counting = if args.covall { Counting::All } else { Counting::Any };
    Ok(Ok(router_check::run(&routes, &files, counting)))
}

/// The configuration, and what it asks for that is not obeyed.
fn routes(text: &EnvoyText) -> Result<(Routes, Vec<Diagnostic>), Vec<Diagnostic>> {
    if let Some(node) = text.node.as_ref().filter(|node| node.get("tests").is_some()) {
        let message = "--envoy-routes names a file of tests, not a route configuration";
        let problem = Diagnostic::new(codes::PIL0204, message).at(&text.name, node.span, "");
        return Err(vec![problem.help("pilotage test --envoy-routes ROUTES.yaml TESTS.json")]);
    }
    let config = text.message()?;
    let Some(node) = &text.node else { return Err(Vec::new()) };
    let routes = Routes::new(&text.name, node, config);
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for rejection in routes.rejections() {
        let message = format!("{}: {}", rejection.path, rejection.message);
        let problem = Diagnostic::new(codes::PIL0204, message);
        let problem = problem.at(&text.name, text.nearest(&rejection.path), "");
        match rejection.severity {
            Severity::Rejected => errors.push(problem),
            Severity::Warning => {
                warnings.push(problem.with_severity(pilotage_config::Severity::Warning));
            }
        }
    }
    if errors.is_empty() { Ok((routes, warnings)) } else { Err(errors) }
}
