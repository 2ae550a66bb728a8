//! Addresses and transport sockets as protobuf has them.

use pilotage_proto::envoy::config::core::v3::{
    Address, Pipe, SocketAddress, TransportSocket, address, socket_address, transport_socket,
};
use pilotage_proto::{Message, Name, pack};

/// An address and port.
pub(crate) fn socket(address: impl Into<String>, port: u16) -> SocketAddress {
    SocketAddress {
        address: address.into(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(port.into())),
        ..SocketAddress::default()
    }
}

/// An address and port where paths are possible too.
pub(crate) fn ip(address: impl Into<String>, port: u16) -> Address {
    Address { address: Some(address::Address::SocketAddress(socket(address, port))) }
}

/// The path of a Unix domain socket as an address.
pub(crate) fn path(path: impl Into<String>) -> Address {
    Address { address: Some(address::Address::Pipe(Pipe { path: path.into(), mode: 0 })) }
}

/// A transport socket of this kind.
pub(crate) fn transport_socket<M: Message + Name>(name: &str, config: &M) -> TransportSocket {
    TransportSocket {
        name: name.to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack(config))),
    }
}
