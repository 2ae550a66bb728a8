//! Who asks: the proxy whose view is wanted. Every command that takes a proxy's side shares these flags.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::{Args, ValueEnum};
use pilotage_config::mesh::InterceptionMode;
use pilotage_model::locality::Locality;
use pilotage_model::{ProxyClass, ProxyKind};

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

    /// Clients of the proxy may speak HTTP/1.0
    #[arg(long)]
    pub(crate) http10: bool,
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

impl WhoArgs {
    /// Whether the flags name nobody in particular.
    pub(crate) fn is_default(&self) -> bool {
        self.kind == Kind::Sidecar
            && self.namespace == "default"
            && self.labels.is_empty()
            && self.proxy_ip.is_none()
            && self.service_account.is_none()
            && self.interception_mode.is_none()
            && !self.http10
    }

    /// The proxy that the flags describe. What they leave open, the workload at `--proxy-ip` tells.
    ///
    /// # Errors
    /// When a label or locality is malformed.
    pub(crate) fn check(&self) -> Result<ProxyClass, WhoError> {
        let labels = parse_labels(&self.labels)?;
        let locality = labels.get(LOCALITY_LABEL).map(|l| parse_locality(l)).transpose()?;
        Ok(ProxyClass {
            kind: match self.kind {
                Kind::Sidecar => ProxyKind::Sidecar,
                Kind::Gateway => ProxyKind::Gateway,
            },
            namespace: self.namespace.as_str().into(),
            labels,
            addresses: self.proxy_ip.into_iter().collect(),
            service_account: self.service_account.as_deref().unwrap_or_default().into(),
            locality: locality.unwrap_or_default(),
            interception: self.interception_mode.map(|mode| match mode {
                Interception::Redirect => InterceptionMode::Redirect,
                Interception::Tproxy => InterceptionMode::Tproxy,
                Interception::None => InterceptionMode::None,
            }),
            http10: self.http10,
            ..ProxyClass::default()
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
fn parse_locality(text: &str) -> Result<Locality, WhoError> {
    let separator = if text.contains('/') { '/' } else { '.' };
    if text.split(separator).count() > 3 {
        return Err(WhoError::Locality(text.to_owned()));
    }
    Ok(Locality::parse_label(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pilotage_model::locality::Locality;
    use pilotage_model::{ProxyClass, ProxyKind};

    use super::{WhoArgs, WhoError};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        who: WhoArgs,
    }

    fn check(flags: &[&str]) -> Result<ProxyClass, WhoError> {
        Flags::parse_from(std::iter::once(&"x").chain(flags)).who.check()
    }

    #[test]
    fn without_flags_a_sidecar_in_default_asks() {
        let who = check(&[]).unwrap();
        assert_eq!((who.kind, &*who.namespace), (ProxyKind::Sidecar, "default"));
        assert!(who.labels.is_empty() && who.locality.is_empty() && who.addresses.is_empty());
    }

    #[test]
    fn the_locality_label_gives_the_locality_and_stays_a_label() {
        let who = check(&["-l", "app=a,istio-locality=us-west.zone-a"]).unwrap();
        assert_eq!(who.locality, Locality::parse("us-west/zone-a"));
        assert_eq!(who.labels.len(), 2);
    }

    #[test]
    fn a_label_without_equals_sign_is_named() {
        assert_eq!(check(&["--labels", "app"]), Err(WhoError::Label("app".into())));
        let error = check(&["--labels", "istio-locality=a.b.c.d"]).unwrap_err();
        assert!(matches!(error, WhoError::Locality(_)));
    }
}
