//! What a client says first: TLS or not, for which server, and with which protocols.

use std::collections::BTreeSet;

use super::kinds::ChainMatch;

/// Something that a client may say first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) tls: bool,
    pub(super) name: Name,
    pub(super) protocols: Vec<String>,
}

/// Server names that no condition tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// A name or wildcard; `None`: no name at all.
    pub(super) pattern: Option<String>,
    /// One of them.
    pub(super) example: Option<String>,
}

/// What an inspector finds out of connections without TLS.
const PLAIN_PROTOCOLS: [&str; 3] = ["http/1.0", "http/1.1", "h2c"];

/// Everything that a client may say first, as far as `matches` tell it apart.
pub(super) fn hellos(matches: &[&ChainMatch]) -> Vec<Hello> {
    let named: BTreeSet<&str> =
        matches.iter().flat_map(|one| &one.application_protocols).map(String::as_str).collect();
    let mut all = vec![Hello { tls: false, name: Name::NONE, protocols: Vec::new() }];
    for protocol in PLAIN_PROTOCOLS.iter().filter(|protocol| named.contains(**protocol)) {
        all.push(Hello { tls: false, name: Name::NONE, protocols: vec![(*protocol).to_owned()] });
    }
    let offers = offers(&named);
    for name in names(matches) {
        let with = |protocols: &Vec<String>| Hello {
            tls: true,
            name: name.clone(),
            protocols: protocols.clone(),
        };
        all.extend(offers.iter().map(with));
    }
    all
}

/// Lists of protocols that clients offer. The first that any chain wants decides, before and after; so lists of two tell
/// all there is.
fn offers(named: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for first in named {
        all.push(vec![(*first).to_owned()]);
        let others = named.iter().filter(|second| *second != first);
        all.extend(others.map(|second| vec![(*first).to_owned(), (*second).to_owned()]));
    }
    all
}

impl Name {
    const NONE: Self = Self { pattern: None, example: None };
}

/// No server name, each that is asked for, those that only a wildcard covers, and all others.
fn names(matches: &[&ChainMatch]) -> Vec<Name> {
    let named: BTreeSet<String> = matches
        .iter()
        .flat_map(|one| &one.server_names)
        .map(|name| name.to_ascii_lowercase())
        .filter(|name| name != "*")
        .collect();
    let suffixes: Vec<&str> = named.iter().filter_map(|name| name.strip_prefix('*')).collect();
    // A host below `suffix` that nothing closer covers.
    let below = |suffix: &str| {
        let closer = |host: &str| {
            let longer = suffixes.iter().filter(|other| other.len() > suffix.len());
            named.contains(host) || longer.into_iter().any(|other| host.ends_with(other))
        };
        let labels = std::iter::once("any".to_owned()).chain((1..).map(|n| format!("any{n}")));
        labels.map(|label| format!("{label}{suffix}")).find(|host| !closer(host))
    };
    let mut all = vec![Name::NONE];
    for name in &named {
        let example = match name.strip_prefix('*') {
            Some(suffix) => below(suffix),
            None => Some(name.clone()),
        };
        all.push(Name { pattern: Some(name.clone()), example });
    }
    all.push(Name { pattern: Some("*".to_owned()), example: below(".example") });
    all
}
