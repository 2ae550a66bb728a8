//! Names that clients may use, for requests that arrive without an original destination.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use pilotage_proto::istio::networking::nds::v1::NameTable;

use crate::rejection::Warnings;

/// Addresses by host name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    addresses: HashMap<Box<str>, Vec<IpAddr>, FixedState>,
    /// The names that DNS knows hosts by whose addresses the table does not have.
    elsewhere: HashMap<Box<str>, Box<str>, FixedState>,
}

impl Names {
    /// Compiles a name table. Addresses that are none are left out with a warning.
    pub(crate) fn compile(table: &NameTable, warnings: &mut Warnings) -> Self {
        let mut names = Self::default();
        for (name, info) in &table.table {
            let mut addresses = Vec::with_capacity(info.ips.len());
            for ip in &info.ips {
                match ip.parse() {
                    Ok(address) => addresses.push(address),
                    Err(_) => warnings
                        .note(&format!("table[{name}].ips"), format!("`{ip}` is no address")),
                }
            }
            #[expect(deprecated, reason = "older control planes still send these")]
            let aliases = &info.alt_hosts;
            if addresses.is_empty() {
                let names_of = aliases.iter().map(|alias| (key(alias).into(), key(name).into()));
                names.elsewhere.extend(names_of);
                continue;
            }
            for alias in aliases {
                names.insert_if_absent(alias, &addresses);
            }
            names.addresses.insert(key(name).into(), addresses);
        }
        names
    }

    fn insert_if_absent(&mut self, name: &str, addresses: &[IpAddr]) {
        self.addresses.entry(key(name).into()).or_insert_with(|| addresses.to_vec());
    }

    /// The preferred address of `host`: an address literal stands for itself; letter case and one trailing dot do not
    /// matter; a name covered only by a `*.` entry resolves to that entry's address.
    pub(crate) fn resolve(&self, host: &str) -> Option<IpAddr> {
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse() {
            return Some(address);
        }
        let host = key(host);
        if let Some(addresses) = self.addresses.get(host.as_str()) {
            return addresses.first().copied();
        }
        let mut rest = host.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(addresses) = self.addresses.get(format!("*.{parent}").as_str()) {
                return addresses.first().copied();
            }
            rest = parent;
        }
        None
    }

    /// The name to ask DNS for when `host` has no address here.
    pub(crate) fn canonical<'a>(&'a self, host: &'a str) -> &'a str {
        self.elsewhere.get(key(host).as_str()).map_or(host, |name| name)
    }
}

fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pilotage_proto::istio::networking::nds::v1::NameTable;
    use pilotage_proto::istio::networking::nds::v1::name_table::NameInfo;

    use super::Names;
    use crate::rejection::Warnings;

    #[test]
    fn names_resolve_as_a_dns_proxy_would() {
        let info = |ip: &str| NameInfo { ips: vec![ip.into()], ..Default::default() };
        let table = BTreeMap::from([
            ("reviews.default.svc.cluster.local".to_owned(), info("10.96.0.1")),
            ("reviews".to_owned(), info("10.96.0.1")),
            ("*.wild.example".to_owned(), info("10.96.0.9")),
            ("broken".to_owned(), info("x")),
        ]);
        let mut warnings = Warnings::default();
        let names = Names::compile(&NameTable { table }, &mut warnings);
        assert_eq!(warnings.into_found().len(), 1);
        for (host, address) in [
            ("reviews", Some("10.96.0.1")),
            ("Reviews.default.svc.cluster.local.", Some("10.96.0.1")),
            ("a.b.wild.example", Some("10.96.0.9")),
            ("wild.example", None),
            ("192.0.2.7", Some("192.0.2.7")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("broken", None),
            ("", None),
        ] {
            assert_eq!(names.resolve(host), address.map(|a| a.parse().unwrap()), "{host}");
        }
    }
}
