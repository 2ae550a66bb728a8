//! Who asks: the proxy whose view is wanted. Every command that takes a proxy's side shares these flags.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::{Args, ValueEnum};

/// The label that states a workload's locality, `region.zone.subzone`.
const LOCALITY_LABEL: &str = "istio-locality";

/// The proxy whose view is wanted, as typed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Who asks")]
pub(crate) struct WhoArgs {
    /// What the proxy is
    #[arg(long = "proxy", value_enum, default_value_t = Kind::Sidecar)]
    pub(crate) kind: Kind,

    /// Namespace of the workload
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,

    /// Labels of the workload, `k=v,k=v`; `istio-locality=region.zone.subzone` states where it runs
    #[arg(short, long, value_name = "LABELS", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,

    /// Address of the workload. One that belongs to a Pod or WorkloadEntry in the files makes the proxy that workload
    #[arg(long, value_name = "IP")]
    pub(crate) proxy_ip: Option<IpAddr>,

    /// Service account of the workload
    #[arg(long, value_name = "NAME")]
    pub(crate) service_account: Option<String>,

    /// How traffic reaches the proxy
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) interception_mode: Option<Interception>,
}

/// What a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Beside one workload
    Sidecar,
    /// At the edge, configured by Gateway objects
    Gateway,
}

/// How traffic reaches a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Interception {
    /// Redirected, the source address is lost
    Redirect,
    /// Transparent, the source address is kept
    Tproxy,
    /// Applications connect to the proxy's own listeners
    None,
}

/// Why a proxy cannot be what the flags say.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum WhoError {
    /// A label is not `key=value`.
    #[error("--labels: `{0}` is not of the form key=value")]
    Label(String),
    /// The locality has too many parts.
    #[error("--labels: `{0}` is no locality; it has the form region.zone.subzone")]
    Locality(String),
}

/// The proxy whose view is wanted, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its labels, with the one that states the locality.
    pub(crate) labels: BTreeMap<String, String>,
    /// Where it runs, when said: region, zone, subzone; later ones may be empty.
    pub(crate) locality: Option<[String; 3]>,
    /// Its address, when said.
    pub(crate) address: Option<IpAddr>,
    /// Its service account, when said.
    pub(crate) service_account: Option<String>,
    /// How traffic reaches it, when said.
    pub(crate) interception: Option<Interception>,
}

impl WhoArgs {
    /// Takes the flags apart.
    ///
    /// # Errors
    /// When a label or locality is malformed.
    pub(crate) fn check(&self) -> Result<Who, WhoError> {
        let labels = parse_labels(&self.labels)?;
        let locality = labels.get(LOCALITY_LABEL).map(|l| parse_locality(l)).transpose()?;
        Ok(Who {
            kind: self.kind,
            namespace: self.namespace.clone(),
            labels,
            locality,
            address: self.proxy_ip,
            service_account: self.service_account.clone(),
            interception: self.interception_mode,
        })
    }
}

fn parse_labels(pairs: &[String]) -> Result<BTreeMap<String, String>, WhoError> {
    pairs
        .iter()
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| match pair.trim().split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(WhoError::Label(pair.clone())),
        })
        .collect()
}

/// `r.z.s`, or `r/z/s` when there is a slash (regions may hold dots then).
fn parse_locality(text: &str) -> Result<[String; 3], WhoError> {
    let separator = if text.contains('/') { '/' } else { '.' };
    let mut parts = text.split(separator).map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let locality = [next(), next(), next()];
    match parts.next() {
        None => Ok(locality),
        Some(_) => Err(WhoError::Locality(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Kind, WhoArgs, WhoError};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        who: WhoArgs,
    }

    fn check(flags: &[&str]) -> Result<super::Who, WhoError> {
        Flags::parse_from(std::iter::once(&"x").chain(flags)).who.check()
    }

    #[test]
    fn without_flags_a_sidecar_in_default_asks() {
        let who = check(&[]).unwrap();
        assert_eq!((who.kind, who.namespace.as_str()), (Kind::Sidecar, "default"));
        assert!(who.labels.is_empty() && who.locality.is_none() && who.address.is_none());
    }

    #[test]
    fn the_locality_label_gives_the_locality_and_stays_a_label() {
        let who = check(&["-l", "app=a,istio-locality=us-west.zone-a"]).unwrap();
        assert_eq!(who.locality.unwrap(), ["us-west", "zone-a", ""]);
        assert_eq!(who.labels.len(), 2);
    }

    #[test]
    fn a_label_without_equals_sign_is_named() {
        assert_eq!(check(&["--labels", "app"]), Err(WhoError::Label("app".into())));
        let error = check(&["--labels", "istio-locality=a.b.c.d"]).unwrap_err();
        assert!(matches!(error, WhoError::Locality(_)));
    }
}
