//! `pilotage proxy-config`: what a proxy is given, compiled from files.

mod clusters;
mod endpoints;
mod listeners;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use pilotage_model::ProxyClass;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::prost_types::value::Kind as StructKind;
use pilotage_proto::{Message, Name, ResourceSet, json};
use serde_json::{Map, Value};

use super::CommandError;
use crate::exit::Status;
use crate::inputs::{Configuration, InputArgs};
use crate::output::{self, Format, OutputError};
use crate::who::WhoArgs;

/// Arguments of `proxy-config`.
#[derive(Debug, Args)]
pub(crate) struct ProxyConfigArgs {
    /// Which part
    #[arg(value_enum)]
    section: Section,

    #[command(flatten)]
    inputs: InputArgs,

    #[command(flatten)]
    who: WhoArgs,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Format::Short)]
    output: Format,
}

/// A part of what a proxy is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Where the proxy listens, and where each filter chain leads
    #[value(aliases = ["listener", "lds", "l"])]
    Listeners,
    /// Virtual hosts and routes
    #[value(aliases = ["route", "rds", "r"])]
    Routes,
    /// Destinations and their policies
    #[value(aliases = ["cluster", "cds", "c"])]
    Clusters,
    /// Addresses behind the destinations
    #[value(aliases = ["endpoint", "eds", "ep"])]
    Endpoints,
    /// All of them
    All,
}

/// Compiles and prints.
///
/// # Errors
/// When files or flags are unusable, or the answer cannot be written.
pub(crate) fn run(args: &ProxyConfigArgs) -> Result<Status, CommandError> {
    let who = args.who.check()?;
    let configuration = args.inputs.load(&[])?;
    let resources = compile(&configuration, &who);
    output::print_problems(&configuration.diagnostics);
    print(&resources, args.section, args.output)?;
    // A text of which nothing could be read may have held anything.
    let unread = configuration.diagnostics.iter().any(|p| p.is_error() && p.object.is_none());
    Ok(if unread { Status::BadData } else { Status::Ok })
}

/// Everything that the proxy gets.
fn compile(configuration: &Configuration, who: &ProxyClass) -> ResourceSet {
    let (snapshot, _) = pilotage_model::build(&configuration.inputs());
    pilotage_compile::resources(&pilotage_model::view(&snapshot, who))
}

fn print(resources: &ResourceSet, section: Section, format: Format) -> Result<(), OutputError> {
    if format == Format::Short {
        return output::print_text(&tables(resources, section));
    }
    output::print_value(&value(resources, section)?, format)
}

/// The tables of `section`, one below the other.
fn tables(resources: &ResourceSet, section: Section) -> String {
    match section {
        Section::Listeners => listeners::table(resources).to_string(),
        Section::Routes => routes::table(resources).to_string(),
        Section::Clusters => clusters::table(resources).to_string(),
        Section::Endpoints => endpoints::table(resources).to_string(),
        Section::All => {
            [Section::Clusters, Section::Listeners, Section::Routes, Section::Endpoints]
                .map(|section| tables(resources, section))
                .join("\n")
        }
    }
}

/// The resources of `section` as protobuf-JSON: one list, or an object of all lists.
fn value(resources: &ResourceSet, section: Section) -> Result<Value, OutputError> {
    match section {
        Section::Listeners => messages(&resources.listeners),
        Section::Routes => messages(&resources.routes),
        Section::Clusters => messages(&resources.clusters),
        Section::Endpoints => messages(&resources.endpoints),
        Section::All => {
            let mut all = Map::new();
            all.insert("listeners".into(), messages(&resources.listeners)?);
            all.insert("routes".into(), messages(&resources.routes)?);
            all.insert("clusters".into(), messages(&resources.clusters)?);
            all.insert("endpoints".into(), messages(&resources.endpoints)?);
            Ok(Value::Object(all))
        }
    }
}

fn messages<M: Message + Name>(of: &BTreeMap<String, Arc<M>>) -> Result<Value, OutputError> {
    let values: Result<Vec<Value>, _> = of.values().map(|m| json::to_value(m.as_ref())).collect();
    Ok(Value::Array(values?))
}

/// The object of `kind` that a resource says it comes from, as istioctl writes it: `name.namespace`.
fn object_of(metadata: Option<&Metadata>, kind: &str) -> Option<String> {
    let fields = &metadata?.filter_metadata.get("istio")?.fields;
    let Some(StructKind::StringValue(path)) = &fields.get("config")?.kind else { return None };
    // /apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews
    let mut parts = path.rsplit('/');
    let (name, of_kind, namespace) = (parts.next()?, parts.next()?, parts.next()?);
    (of_kind == kind).then(|| format!("{name}.{namespace}"))
}
