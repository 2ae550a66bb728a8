//! The domains of virtual hosts: by which names requests may call a service.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use pilotage_model::proxy::ProxyClass;
use pilotage_model::service::{Resolution, Service, ServiceAddress};

/// How ports stand in domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortSuffix {
    /// Not at all: the listener has one port, and Envoy ignores the port of a request's host.
    None,
    /// Every domain stands with and without this port.
    Both(u16),
    /// Every domain stands with this port only.
    Only(u16),
}

impl PortSuffix {
    /// The suffixes of a listener that serves all ports, for one of them: only port 80 may be left out.
    pub(crate) fn of_shared_listener(port: u16) -> Self {
        if port == 80 { Self::Both(port) } else { Self::Only(port) }
    }

    fn push(self, name: &str, out: &mut Vec<String>) {
        match self {
            Self::None => out.push(name.to_owned()),
            Self::Both(port) => out.extend([name.to_owned(), format!("{name}:{port}")]),
            Self::Only(port) => out.push(format!("{name}:{port}")),
        }
    }
}

/// The domains that virtual hosts of one route configuration have taken, each of which can stand only once.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    taken: HashSet<String>,
    full_names: HashSet<String>,
}

impl Claims {
    /// Names of services that shorter forms of other services' names must not take.
    pub(crate) fn reserve(&mut self, full_name: &str) {
        self.full_names.insert(full_name.to_owned());
    }

    /// The domains of a host that is no service: only itself.
    pub(crate) fn of_host(&mut self, host: &str, ports: PortSuffix) -> Vec<String> {
        let mut domains = Vec::new();
        ports.push(&bracketed(host), &mut domains);
        self.take(domains)
    }

    /// The domains of a service, as far as they are free: full names and short ones, those of its aliases, its
    /// address.
    pub(crate) fn of_service(
        &mut self,
        service: &Service,
        proxy: &ProxyClass,
        ports: PortSuffix,
    ) -> Vec<String> {
        let mut domains = Vec::new();
        let aliases = service.aliases.iter().map(|alias| alias.host.as_str());
        for host in std::iter::once(service.host.as_str()).chain(aliases) {
            let host = host.to_ascii_lowercase();
            ports.push(&host, &mut domains);
            // The absolute form, with a dot at the end.
            ports.push(&format!("{host}."), &mut domains);
            for short in short_names(&host, &proxy.namespace) {
                if !self.full_names.contains(&short) {
                    ports.push(&short, &mut domains);
                }
            }
        }
        if service.is_kubernetes() && service.resolution == Resolution::Passthrough {
            // Pods of a stateful set have names below that of the service.
            let below: Vec<_> = domains.iter().map(|domain| format!("*.{domain}")).collect();
            domains.extend(below);
        }
        for address in addresses(service, proxy) {
            ports.push(&address, &mut domains);
        }
        self.take(domains)
    }

    fn take(&mut self, mut domains: Vec<String>) -> Vec<String> {
        domains.retain(|domain| self.taken.insert(domain.to_ascii_lowercase()));
        domains
    }
}

/// The shorter forms by which clients of `namespace` know a Kubernetes service; none for other hosts.
fn short_names(host: &str, namespace: &str) -> Vec<String> {
    let Some((short, _)) = host.split_once(".svc.") else { return Vec::new() };
    let Some((name, owner)) = short.split_once('.') else { return Vec::new() };
    if name.is_empty() || owner.is_empty() {
        return Vec::new();
    }
    if owner == namespace {
        // `*` alone would take all requests.
        let name = (name != "*").then(|| name.to_owned());
        name.into_iter().chain([format!("{short}.svc"), short.to_owned()]).collect()
    } else {
        vec![short.to_owned(), format!("{short}.svc")]
    }
}

/// The addresses that clients of `proxy` dial. Kubernetes services have one of each family, of which the client's
/// counts.
fn addresses(service: &Service, proxy: &ProxyClass) -> Vec<String> {
    let fits = |address: &&ServiceAddress| match address {
        ServiceAddress::Ip(ip) if service.is_kubernetes() => {
            ip.is_ipv6() == proxy.is_ipv6_only() && !ip.is_unspecified()
        }
        ServiceAddress::Ip(ip) => !ip.is_unspecified(),
        ServiceAddress::Cidr(_) => true,
    };
    let own = service.addresses.iter().filter(fits);
    let mut texts: Vec<_> = own.map(address_text).collect();
    if texts.is_empty() && proxy.dns_capture {
        let family = |ip: &&IpAddr| ip.is_ipv6() == proxy.is_ipv6_only();
        let allocated = service.auto_addresses.iter().filter(family);
        texts.extend(allocated.map(|ip| bracketed(&ip.to_string())).take(1));
    }
    texts
}

/// An address as it stands in a request's host. A range stands for nothing there, but is a domain on Istio; one that
/// holds a single address is that address.
fn address_text(address: &ServiceAddress) -> String {
    match address {
        ServiceAddress::Ip(ip) => bracketed(&ip.to_string()),
        ServiceAddress::Cidr(range) => match range.split_once('/') {
            Some((address, "32" | "128")) => bracketed(address),
            _ => range.to_string(),
        },
    }
}

/// IPv6 addresses stand in brackets in a request's host.
pub(crate) fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_use_shorter_names_than_others() {
        let host = "cart.shop.svc.cluster.local";
        assert_eq!(short_names(host, "shop"), ["cart", "cart.shop.svc", "cart.shop"]);
        assert_eq!(short_names(host, "blue"), ["cart.shop", "cart.shop.svc"]);
        assert!(short_names("api.example.com", "shop").is_empty());
        assert_eq!(short_names("*.shop.svc.cluster.local", "shop"), ["*.shop.svc", "*.shop"]);
    }

    #[test]
    fn a_shared_listener_leaves_out_port_80_only() {
        let mut claims = Claims::default();
        let mut of = |port| claims.of_host("a.test", PortSuffix::of_shared_listener(port));
        assert_eq!(of(80), ["a.test", "a.test:80"]);
        assert_eq!(of(8080), ["a.test:8080"]);
        assert!(of(8080).is_empty());
    }

    #[test]
    fn letter_case_does_not_make_a_domain_new() {
        let mut claims = Claims::default();
        assert_eq!(claims.of_host("A.test", PortSuffix::None), ["A.test"]);
        assert!(claims.of_host("a.TEST", PortSuffix::None).is_empty());
        assert_eq!(claims.of_host("::1", PortSuffix::None), ["[::1]"]);
    }
}
