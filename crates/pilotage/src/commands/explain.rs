//! `pilotage explain`: what becomes of a request, and which lines of YAML say so.

mod live;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pilotage_explain::who::{self, UnknownName};
use pilotage_explain::{Ask, AskError, ClientTls, Explanation, Protocol, Simulation, explain};
use pilotage_model::{ProxyClass, ProxyKind, Snapshot, build_after};

use self::live::LiveError;
use super::CommandError;
use crate::exit::Status;
use crate::inputs::{InputArgs, InputError};
use crate::output::{self, Format, OutputError};
use crate::who::{Kind, WhoArgs};

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pilotage explain http://reviews:9080/ -H 'end-user: jason' -f mesh/\n  \
    pilotage explain POST https://shop.example.com/cart --proxy gateway -f mesh/\n  \
    pilotage explain http://reviews:9080/ --live")]
pub(crate) struct ExplainArgs {
    /// What to ask for: http://HOST:PORT/PATH, with the method before it when it is not GET. Other schemes: https,
    /// grpc, tcp (raw bytes), tls (raw bytes in TLS)
    #[arg(value_name = "[METHOD] URL", required = true, num_args = 1..=3)]
    request: Vec<String>,

    /// A header of the request, `name: value`. Repeatable
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,

    #[command(flatten)]
    inputs: InputArgs,

    #[command(flatten)]
    who: WhoArgs,

    /// The workload or gateway that asks, by its name in the files, instead of the flags above
    #[arg(long, value_name = "NAME", help_heading = "Who asks")]
    from: Option<String>,

    #[command(flatten)]
    how: HowArgs,

    /// Ask a running `pilotage up` rather than files; ADDRESS is that of its admin port
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with_all = ["files", "mesh_config_file"]
    )]
    live: Option<String>,

    /// Admin port of the running `pilotage up`, when it is on this machine
    #[arg(long, value_name = "PORT", default_value_t = 15000)]
    admin_port: u16,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Format::Short)]
    output: Format,
}

/// How the request arrives.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it arrives")]
struct HowArgs {
    /// Whether the request leaves the workload or comes in to it
    #[arg(long, value_enum, default_value_t = Mode::Outbound)]
    mode: Mode,

    /// Where the client connects to, when it is not where the host of the URL leads
    #[arg(long, value_name = "IP:PORT")]
    address: Option<SocketAddr>,

    /// What is spoken; when absent, as the scheme of the URL says
    #[arg(long, value_enum)]
    protocol: Option<Spoken>,

    /// What the client does with TLS; when absent, as the scheme of the URL says
    #[arg(long, value_enum)]
    tls: Option<Tls>,

    /// Server name of the client's TLS; the host of the URL when absent
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,

    /// ALPN protocols that the client offers, for instance h2,http/1.1
    #[arg(long, value_name = "PROTOCOLS", value_delimiter = ',')]
    alpn: Option<Vec<String>>,
}

/// Which way traffic of a sidecar flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Away from the workload
    Outbound,
    /// To the workload
    Inbound,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spoken {
    /// HTTP/1.1
    Http,
    /// HTTP/2
    Http2,
    /// Other bytes
    Tcp,
}

/// What a client does with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tls {
    /// Nothing
    Plaintext,
    /// TLS without a certificate of its own
    #[value(name = "tls")]
    Anonymous,
    /// TLS with a certificate that is trusted
    #[value(name = "mtls")]
    Mutual,
}

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// The request.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Who asks.
    #[error("--from: {0}")]
    From(#[from] UnknownName),
    /// Too many words.
    #[error("a request is [METHOD] URL, and this has a word more: {0}")]
    Words(String),
    /// There are several gateways, or none.
    #[error("{0}")]
    Gateway(String),
    /// The running process.
    #[error(transparent)]
    Live(#[from] LiveError),
}

impl ExplainError {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Ask(_) | Self::From(_) | Self::Words(_) | Self::Gateway(_) => Status::Usage,
            Self::Live(error) => error.status(),
        }
    }
}

/// Explains one request.
///
/// # Errors
/// When flags or files are unusable, nobody runs who could be asked, or the answer cannot be written.
pub(crate) fn run(args: &ExplainArgs) -> Result<Status, CommandError> {
    let ask = args.ask()?;
    if let Some(address) = args.live_address() {
        let answer = live::ask(&ask, &address).map_err(ExplainError::Live)?;
        print(&answer, args)?;
        return Ok(Status::Ok);
    }
    if args.inputs.files.is_empty() {
        return Err(InputError::NothingGiven.into());
    }
    let configuration = args.inputs.load(&[])?;
    output::print_problems(&configuration.diagnostics);
    let inputs = configuration.inputs();
    let snapshot = build_after(None, &inputs.objects, &inputs.mesh);
    let proxy = args.proxy(&snapshot)?;
    let simulation = Simulation::new(&snapshot, &proxy);
    let question = ask.question(&simulation, Duration::ZERO).map_err(ExplainError::Ask)?;
    let mut answer = explain(&simulation, &snapshot, &question);
    let unused = configuration.diagnostics.iter().filter(|p| p.is_error());
    let objects: Vec<String> = unused
        .filter_map(|problem| match (&problem.object, &problem.primary) {
            (Some(object), _) => Some(object.to_string()),
            (None, Some(label)) => Some(label.source.to_string()),
            (None, None) => None,
        })
        .collect();
    if !objects.is_empty() {
        let mut named = objects;
        named.dedup();
        answer.notes.push(format!("not loaded, as said above: {}", named.join(", ")));
    }
    print(&answer, args)?;
    // A text of which nothing could be read may have held anything.
    let unread = configuration.diagnostics.iter().any(|p| p.is_error() && p.object.is_none());
    Ok(if unread { Status::BadData } else { Status::Ok })
}

impl ExplainArgs {
    /// The admin port to ask, if a running process is to be asked: `--live=ADDRESS`, or `--live ADDRESS` as people write
    /// it, where the address looks like one more word of the request.
    fn live_address(&self) -> Option<String> {
        let written = self.live.as_deref()?;
        let apart = self.request.iter().find(|word| self.is_live_address(word));
        Some(match (written, apart) {
            ("", Some(apart)) => apart.clone(),
            ("", None) => format!("127.0.0.1:{}", self.admin_port),
            (written, _) => written.to_owned(),
        })
    }

    /// Whether this word of the request is the address that belongs to `--live`: the URL is another one.
    fn is_live_address(&self, word: &str) -> bool {
        let is_address = |word: &str| {
            let port = word.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            port.is_some_and(|port| port.is_ok()) && !word.contains('/')
        };
        self.live.as_deref() == Some("")
            && is_address(word)
            && self.request.iter().any(|other| other.contains("://"))
    }

    fn ask(&self) -> Result<Ask, ExplainError> {
        let words: Vec<&String> =
            self.request.iter().filter(|word| !self.is_live_address(word)).collect();
        let (method, url) = match words.as_slice() {
            [method, url] => (Some((*method).clone()), (*url).clone()),
            [url] => (None, (*url).clone()),
            [] => (None, String::new()),
            [_, _, more, ..] => return Err(ExplainError::Words((*more).clone())),
        };
        Ok(Ask {
            method,
            url,
            headers: self.headers.clone(),
            gateway: self.who.kind == Kind::Gateway,
            from: self.from.clone(),
            inbound: self.how.mode == Mode::Inbound,
            address: self.how.address,
            protocol: self.how.protocol.map(|spoken| match spoken {
                Spoken::Http => Protocol::Http1,
                Spoken::Http2 => Protocol::Http2,
                Spoken::Tcp => Protocol::Tcp,
            }),
            tls: self.how.tls.map(|tls| match tls {
                Tls::Plaintext => ClientTls::Plaintext,
                Tls::Anonymous => ClientTls::Tls,
                Tls::Mutual => ClientTls::Mtls,
            }),
            sni: self.how.sni.clone(),
            alpn: self.how.alpn.clone(),
        })
    }

    /// Who asks: by name, by flags, or the only gateway there is.
    fn proxy(&self, snapshot: &Snapshot) -> Result<ProxyClass, CommandError> {
        let described = self.who.check()?;
        if let Some(name) = &self.from {
            let found = who::named(snapshot, name, &self.who.namespace);
            return Ok(found.map_err(ExplainError::From)?);
        }
        let is_open = described.labels.is_empty() && described.addresses.is_empty();
        if described.kind != ProxyKind::Gateway || !is_open {
            return Ok(described);
        }
        let mut gateways = who::gateways(snapshot);
        match gateways.len() {
            1 => Ok(gateways.remove(0).1),
            0 => {
                let nothing = "there is no Gateway object in the files".to_owned();
                Err(ExplainError::Gateway(nothing).into())
            }
            _ => {
                let names: Vec<&str> = gateways
                    .iter()
                    .filter_map(|(names, _)| Some(names.first()?.as_str()))
                    .collect();
                let text = format!(
                    "there are several gateways: say which with --from NAME ({}) or --labels",
                    names.join(", ")
                );
                Err(ExplainError::Gateway(text).into())
            }
        }
    }
}

fn print(answer: &Explanation, args: &ExplainArgs) -> Result<(), OutputError> {
    if args.output == Format::Short {
        return output::print_text(&output::explanation(answer, &args.inputs.files));
    }
    output::print_value(&serde_json::to_value(answer)?, args.output)
}
