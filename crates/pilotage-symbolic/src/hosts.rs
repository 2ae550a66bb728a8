//! Which hosts belong to which virtual hosts, before and after.

use std::collections::BTreeMap;

use pilotage_engine::domains::Domains;
use pilotage_engine::route_table::RouteTable;

use crate::algebra::{Algebra, Language};
use crate::budget::TooComplex;
use crate::condition::Dimension;
use crate::region::{Space, Values};
use crate::rules::Rules;
use crate::text::{Comparison, Text};
use crate::universe::Universe;

/// Hosts that share their virtual hosts on both sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostGroup {
    /// Domains, each with an authority that it and no closer domain covers.
    pub(crate) domains: Vec<(String, String)>,
}

impl HostGroup {
    /// A group of one name that stands for all hosts.
    pub(crate) fn of(name: &str) -> Self {
        Self { domains: vec![(name.to_owned(), "any.example".to_owned())] }
    }
}

/// The virtual hosts of a group, by number in both tables.
pub(crate) type Pair = (Option<usize>, Option<usize>);

/// All hosts, in groups. `ANY` stands for those that no domain but `*` covers.
pub(crate) fn groups(
    tables: [Option<&RouteTable>; 2],
) -> Result<BTreeMap<Pair, HostGroup>, TooComplex> {
    let mut all: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for table in tables.into_iter().flatten() {
        for domain in table.virtual_hosts().flat_map(|host| &host.settings.domains) {
            if seen.insert(domain.to_ascii_lowercase()) {
                all.push(domain.to_ascii_lowercase());
            }
        }
    }
    if seen.insert("*".to_owned()) {
        all.push("*".to_owned());
    }
    let mut domains = Domains::default();
    for (number, domain) in all.iter().enumerate() {
        domains.insert(domain, number).map_err(|_| TooComplex)?;
    }
    let mut groups: BTreeMap<Pair, HostGroup> = BTreeMap::new();
    for (number, domain) in all.into_iter().enumerate() {
        let host = example(&domain, |host| domains.find(host) == Some(number))?;
        let [old, new] = tables.map(|table| table.and_then(|t| t.virtual_host_index(&host)));
        groups.entry((old, new)).or_default().domains.push((domain, host));
    }
    Ok(groups)
}

/// A host that `domain` covers, and no closer one.
fn example(domain: &str, is_own: impl Fn(&str) -> bool) -> Result<String, TooComplex> {
    if !domain.contains('*') {
        return Ok(domain.to_owned());
    }
    // Hosts below one that begins in a certain way may belong to another domain that ends in a certain way.
    if domain.len() > 1 && domain.ends_with('*') {
        return Err(TooComplex);
    }
    let suffix = domain.strip_prefix('*').unwrap_or_default();
    let suffix = if suffix.is_empty() { ".example" } else { suffix };
    let labels = std::iter::once("any".to_owned()).chain((1..).map(|n| format!("any{n}")));
    labels
        .take(1000)
        .map(|label| format!("{label}{suffix}"))
        .find(|host| is_own(host))
        .ok_or(TooComplex)
}

/// The authorities that belong to `group` and none of the `other` domains.
fn authorities(
    algebra: &mut Algebra,
    group: &HostGroup,
    others: &[&HostGroup],
    ignores_port: bool,
) -> Result<Language, TooComplex> {
    let mut own = Language::NOTHING;
    for (domain, _) in &group.domains {
        let mut covered = language(algebra, domain, ignores_port)?;
        for (closer, _) in others.iter().flat_map(|other| &other.domains) {
            if is_closer(closer, domain) {
                let closer = language(algebra, closer, ignores_port)?;
                covered = algebra.without(covered, closer)?;
            }
        }
        own = algebra.or(own, covered)?;
    }
    Ok(own)
}

/// Limits the authorities of `space` to those of group `pair`, if any of `rules` looks at them.
pub(crate) fn limit(
    space: &mut Space,
    rules: &[&Rules<'_>],
    ignores_port: bool,
    pair: Pair,
    groups: &BTreeMap<Pair, HostGroup>,
) -> Result<(), TooComplex> {
    let Some(group) = groups.get(&pair) else { return Ok(()) };
    if !rules.iter().any(|rules| rules.look_at(&Dimension::Authority)) {
        return Ok(());
    }
    let others: Vec<&HostGroup> =
        groups.iter().filter(|(other, _)| **other != pair).map(|(_, group)| group).collect();
    let own = authorities(&mut space.algebra, group, &others, ignores_port)?;
    let all = Universe::default().all(&Dimension::Authority, &mut space.algebra)?;
    let present = space.algebra.and(own, all.present)?;
    space.limit(Dimension::Authority, Values { absent: false, present });
    Ok(())
}

/// Whether `closer` takes hosts away that `domain` covers.
fn is_closer(closer: &str, domain: &str) -> bool {
    let Some(suffix) = domain.strip_prefix('*') else { return false };
    let fixed = closer.strip_prefix('*').unwrap_or(closer);
    closer != domain && fixed.len() >= suffix.len() && fixed.ends_with(suffix)
}

fn language(
    algebra: &mut Algebra,
    domain: &str,
    ignores_port: bool,
) -> Result<Language, TooComplex> {
    if domain == "*" {
        return Ok(Language::EVERYTHING);
    }
    let port = if ignores_port { r"(?::[^:\]]*)?" } else { "" };
    let host = match domain.strip_prefix('*') {
        Some(suffix) => format!(".+{}", regex::escape(suffix)),
        None => regex::escape(domain),
    };
    algebra.of(&Text::new(Comparison::Regex, &format!(r"(?si-u)\A(?:{host}{port})\z")))
}
