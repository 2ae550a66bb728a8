//! Kinds of connections in words.

use std::collections::{BTreeMap, BTreeSet};

use super::destinations::Destination;
use super::hello::Hello;
use super::kinds::{Kind, Kinds};
use super::ranges::Range;
use super::sources::{From, Source};

/// Names that are told one by one, at most.
const MOST_TOLD: usize = 6;

/// Numbers of sources, or of what is said first.
type Numbers = BTreeSet<usize>;

/// Where connections go to.
pub(super) fn place(destination: &Destination, inbound: bool) -> String {
    let way = if inbound { "inbound connections" } else { "connections" };
    let family = if destination.ipv6 && destination.address.is_none() { " over IPv6" } else { "" };
    let to = match (destination.address, destination.port) {
        (Some(address), Some(port)) => std::net::SocketAddr::new(address, port).to_string(),
        (Some(address), None) => address.to_string(),
        (None, Some(port)) if destination.other_addresses.is_empty() => format!("port {port}"),
        (None, Some(port)) => format!("port {port} of other addresses"),
        (None, None) if destination.other_ports.is_empty() => "any port".to_owned(),
        (None, None) => "any other port".to_owned(),
    };
    format!("{way} to {to}{family}")
}

/// The connections of these kinds: those to one place that begin in the same way at once.
pub(super) fn condition(
    destination: &Destination,
    inbound: bool,
    kinds: &Kinds,
    found: &[Kind],
) -> String {
    let mut hellos: BTreeMap<(usize, usize, usize), Numbers> = BTreeMap::new();
    for kind in found {
        let place = (kind.address, kind.port, kind.source);
        hellos.entry(place).or_default().insert(kind.hello);
    }
    let mut sources: BTreeMap<(Numbers, (usize, usize)), Numbers> = BTreeMap::new();
    for ((address, port, source), hellos) in hellos {
        sources.entry((hellos, (address, port))).or_default().insert(source);
    }
    let mut places: BTreeMap<(Numbers, Numbers), Vec<(usize, usize)>> = BTreeMap::new();
    for ((hellos, place), sources) in sources {
        places.entry((hellos, sources)).or_default().push(place);
    }
    let everywhere = kinds.addresses.len() * kinds.ports.len();
    let mut parts = Vec::new();
    for ((hellos, sources), there) in places {
        let which = format!("{}{}", from(kinds, &sources), said_first(kinds, &hellos));
        let whole = place(destination, inbound);
        match there.len() == everywhere {
            true => parts.push(format!("{whole}{which}")),
            false => {
                let there: Vec<String> = there.iter().map(|one| narrowed(kinds, *one)).collect();
                parts.push(format!("{whole}, {}{which}", listed(&there, "or")));
            }
        }
    }
    parts.join("; ")
}

/// Where they come from, unless they may come from anywhere.
fn from(kinds: &Kinds, numbers: &Numbers) -> String {
    if numbers.len() == kinds.sources.len() {
        return String::new();
    }
    let chosen = numbers.iter().filter_map(|at| kinds.sources.get(*at));
    format!(", from {}", listed(&chosen.map(source_text).collect::<Vec<_>>(), "or"))
}

fn source_text(source: &Source) -> String {
    let address = match &source.from {
        From::Anywhere => None,
        From::Destination => Some("the address that they go to".to_owned()),
        From::Addresses(share) | From::Others(share) => Some(range_text(share.range)),
    };
    let port = source.port.map(|(port, _)| match port {
        Some(port) => format!("port {port}"),
        None => "other ports".to_owned(),
    });
    address.into_iter().chain(port).collect::<Vec<_>>().join(" ")
}

/// A single range and port.
fn narrowed(kinds: &Kinds, (address, port): (usize, usize)) -> String {
    let mut parts = Vec::new();
    if kinds.addresses.len() > 1
        && let Some((range, _)) = kinds.addresses.get(address)
    {
        parts.push(range_text(*range));
    }
    if kinds.ports.len() > 1
        && let Some((port, _)) = kinds.ports.get(port)
    {
        parts.push(port.map_or("other ports".to_owned(), |port| format!("port {port}")));
    }
    parts.join(" ")
}

fn range_text(range: Range) -> String {
    match (range.bits, range.start()) {
        (0, _) => "other addresses".to_owned(),
        (32, address) if address.is_ipv4() => address.to_string(),
        (128, address) => address.to_string(),
        (bits, address) => format!("{address}/{bits}"),
    }
}

/// What the clients say first, unless they may say anything.
fn said_first(kinds: &Kinds, numbers: &Numbers) -> String {
    if numbers.len() == kinds.hellos.len() {
        return String::new();
    }
    let chosen: Vec<&Hello> = numbers.iter().filter_map(|at| kinds.hellos.get(*at)).collect();
    let (tls, plain): (Vec<&Hello>, Vec<&Hello>) = chosen.into_iter().partition(|hello| hello.tls);
    let all = |tls: bool| kinds.hellos.iter().filter(|hello| hello.tls == tls).count();
    let mut parts = Vec::new();
    if !plain.is_empty() {
        let whole = plain.len() == all(false);
        parts.push(if whole { "without TLS".to_owned() } else { plainly(&plain) });
    }
    if !tls.is_empty() {
        let whole = tls.len() == all(true);
        parts.push(if whole { "with TLS".to_owned() } else { in_tls(kinds, &tls) });
    }
    format!(", {}", parts.join(" and "))
}

fn plainly(hellos: &[&Hello]) -> String {
    let protocols: Vec<String> = hellos
        .iter()
        .map(|hello| hello.protocols.first().cloned().unwrap_or("no known protocol".to_owned()))
        .collect();
    format!("without TLS that speak {}", listed(&protocols, "or"))
}

fn in_tls(kinds: &Kinds, hellos: &[&Hello]) -> String {
    let of = |all: &mut dyn Iterator<Item = &Hello>| {
        let all: Vec<&Hello> = all.collect();
        let names: BTreeSet<_> = all.iter().map(|hello| &hello.name.pattern).cloned().collect();
        let offers: BTreeSet<_> = all.iter().map(|hello| hello.protocols.clone()).collect();
        (names, offers)
    };
    let (names, offers) = of(&mut hellos.iter().copied());
    let (all_names, all_offers) = of(&mut kinds.hellos.iter().filter(|hello| hello.tls));
    if names.len() * offers.len() != hellos.len() {
        let each: Vec<String> = hellos
            .iter()
            .map(|hello| format!("{} {}", name_text(&hello.name.pattern), offer(&hello.protocols)))
            .collect();
        return format!("with TLS for {}", listed(&each, "or"));
    }
    let mut text = "with TLS".to_owned();
    if names != all_names {
        let names: Vec<String> = names.iter().map(name_text).collect();
        text.push_str(&format!(" for {}", listed(&names, "or")));
    }
    if offers != all_offers {
        let offers: Vec<String> = offers.iter().map(|one| offer(one)).collect();
        text.push_str(&format!(" {}", listed(&offers, "or")));
    }
    text
}

fn name_text(pattern: &Option<String>) -> String {
    match pattern.as_deref() {
        None => "no server name".to_owned(),
        Some("*") => "other servers".to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn offer(protocols: &[String]) -> String {
    match protocols {
        [] => "offering no protocol that counts".to_owned(),
        some => format!("offering {}", some.join(" before ")),
    }
}

fn listed(all: &[String], word: &str) -> String {
    let (shown, more) = all.split_at(all.len().min(MOST_TOLD));
    let mut shown = shown.to_vec();
    if !more.is_empty() {
        shown.push(format!("{} more", more.len()));
    }
    match shown.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}
