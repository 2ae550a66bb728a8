//! Addresses of the protos.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pilotage_proto::envoy::config::core::v3::address::Address as Kind;
use pilotage_proto::envoy::config::core::v3::socket_address::{PortSpecifier, Protocol};
use pilotage_proto::envoy::config::core::v3::{Address, CidrRange, SocketAddress};

use crate::rejection::FieldError;

/// An address to listen on or connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Socket(SocketAddr),
    Pipe(Arc<str>),
    /// A host name, which has to be resolved first.
    Name(Arc<str>, u16),
}

pub(crate) fn place(proto: Option<&Address>) -> Result<Place, FieldError> {
    match proto.and_then(|a| a.address.as_ref()) {
        Some(Kind::SocketAddress(socket)) => {
            let port = port(socket).map_err(|e| e.within("socket_address"))?;
            match socket.address.parse::<IpAddr>() {
                Ok(ip) => Ok(Place::Socket(SocketAddr::new(ip, port))),
                Err(_) if socket.address.is_empty() => {
                    Err(FieldError::new("socket_address.address", "must not be empty"))
                }
                Err(_) => Ok(Place::Name(socket.address.as_str().into(), port)),
            }
        }
        Some(Kind::Pipe(pipe)) if !pipe.path.is_empty() => {
            Ok(Place::Pipe(pipe.path.as_str().into()))
        }
        Some(Kind::Pipe(_)) => Err(FieldError::new("pipe.path", "must not be empty")),
        Some(Kind::EnvoyInternalAddress(_)) => {
            let message = "internal listeners are not supported";
            Err(FieldError::new("envoy_internal_address", message))
        }
        None => Err(FieldError::new("address", "is required")),
    }
}

fn port(socket: &SocketAddress) -> Result<u16, FieldError> {
    if socket.protocol() != Protocol::Tcp {
        return Err(FieldError::new("protocol", "only TCP is supported"));
    }
    match &socket.port_specifier {
        Some(PortSpecifier::PortValue(port)) => u16::try_from(*port)
            .map_err(|_| FieldError::new("port_value", "must not be above 65535")),
        Some(PortSpecifier::NamedPort(_)) => {
            Err(FieldError::new("named_port", "ports have to be numbers"))
        }
        None => Err(FieldError::new("port_specifier", "is required")),
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    pub(crate) fn compile(proto: &CidrRange) -> Result<Self, FieldError> {
        let network: IpAddr = proto.address_prefix.parse().map_err(|_| {
            FieldError::new("address_prefix", format!("`{}` is no address", proto.address_prefix))
        })?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = proto.prefix_len.unwrap_or(0);
        match u8::try_from(bits) {
            Ok(bits) if bits <= most => Ok(Self { network, bits }),
            _ => Err(FieldError::new("prefix_len", format!("must not be above {most}"))),
        }
    }

    /// All of a list, with the index of the broken one in the error.
    pub(crate) fn list(field: &str, protos: &[CidrRange]) -> Result<Vec<Self>, FieldError> {
        let compiled = protos.iter().enumerate().map(|(index, range)| {
            Self::compile(range).map_err(|e| e.within(format!("{field}[{index}]")))
        });
        compiled.collect()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_bits(network.to_bits().into(), u32::from(address).into(), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_bits(network.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }

    /// Length of the prefix.
    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }
}

fn same_bits(a: u128, b: u128, width: u32, bits: u8) -> bool {
    let shift = width.saturating_sub(u32::from(bits));
    (a ^ b).checked_shr(shift).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use pilotage_proto::envoy::config::core::v3::CidrRange;

    use super::Cidr;

    #[test]
    fn ranges_contain_what_they_should() {
        let range = |prefix: &str, bits| {
            Cidr::compile(&CidrRange { address_prefix: prefix.into(), prefix_len: Some(bits) })
        };
        for (prefix, bits, address, expected) in [
            ("10.1.0.0", 16, "10.1.2.3", true),
            ("10.1.0.0", 16, "10.2.2.3", false),
            ("0.0.0.0", 0, "10.2.2.3", true),
            ("0.0.0.0", 0, "::1", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("2001:db8::", 32, "2001:db8::7", true),
            ("2001:db8::", 128, "2001:db8::7", false),
            ("::", 0, "2001:db8::7", true),
        ] {
            let contains = range(prefix, bits).unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{prefix}/{bits} {address}");
        }
        assert!(range("10.0.0.0", 33).is_err());
        assert!(range("x", 1).is_err());
    }
}
