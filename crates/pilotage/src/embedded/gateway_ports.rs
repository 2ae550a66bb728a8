//! On which ports the gateways of this process listen: those of their servers where possible, on loopback.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use pilotage_proxy::on_loopback;

/// Added to a port that cannot be had: 80 becomes 10080, 443 becomes 10443.
const OFFSET: u16 = 10_000;

/// The ports chosen so far. A choice holds for the life of the process, so that no edit moves a gateway.
#[derive(Debug, Default)]
pub(crate) struct GatewayPorts {
    chosen: BTreeMap<SocketAddr, SocketAddr>,
    /// What nobody was told of yet.
    replaced: Vec<Replaced>,
}

/// A port that had to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// The port asked for.
    pub(crate) asked: u16,
    /// The port in use instead.
    pub(crate) used: u16,
    /// Why.
    pub(crate) reason: String,
}

impl GatewayPorts {
    /// Where a listener that wants `address` goes.
    pub(crate) fn place(&mut self, address: SocketAddr) -> SocketAddr {
        let wanted = on_loopback(address);
        if let Some(used) = self.chosen.get(&wanted) {
            return *used;
        }
        let used = match free(wanted) {
            Ok(address) => address,
            Err(error) => {
                let used = self.other(wanted);
                let (asked, reason) = (wanted.port(), reason(&error));
                self.replaced.push(Replaced { asked, used: used.port(), reason });
                used
            }
        };
        self.chosen.insert(wanted, used);
        used
    }

    /// The replacements since the last call.
    pub(crate) fn take_replaced(&mut self) -> Vec<Replaced> {
        std::mem::take(&mut self.replaced)
    }

    /// A free address instead of `wanted`: with the offset if possible.
    fn other(&self, wanted: SocketAddr) -> SocketAddr {
        let at = |port| SocketAddr::new(wanted.ip(), port);
        let offset = wanted.port().checked_add(OFFSET).map(at);
        let offset = offset.filter(|address| !self.chosen.values().any(|used| used == address));
        // When not even the system has a port, binding says so.
        offset.and_then(|address| free(address).ok()).or_else(|| free(at(0)).ok()).unwrap_or(wanted)
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "it needs privileges".to_owned(),
        io::ErrorKind::AddrInUse => "another process has it".to_owned(),
        _ => error.to_string(),
    }
}

/// The address, if it can be listened on now; for port 0, with some free port.
fn free(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_taken_on_loopback() {
        let asked = free("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut ports = GatewayPorts::default();
        assert_eq!(ports.place(SocketAddr::new([0, 0, 0, 0].into(), asked.port())), asked);
        assert!(ports.take_replaced().is_empty());
    }

    #[test]
    fn a_busy_port_is_replaced_once_and_for_all() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = busy.local_addr().unwrap();
        let mut ports = GatewayPorts::default();
        let used = ports.place(asked);
        assert_ne!(used, asked);
        let reason = "another process has it".to_owned();
        let replaced = Replaced { asked: asked.port(), used: used.port(), reason };
        assert_eq!(ports.take_replaced(), [replaced]);
        drop(busy);
        assert_eq!(ports.place(asked), used);
        assert!(ports.take_replaced().is_empty());
    }
}
