//! Operators that tell of the client's TLS.

use std::rc::Rc;

use crate::tls::{PeerFacts, TlsFacts};

/// A part of what is known of the client's TLS. Names follow Envoy's command operators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TlsPiece {
    Version,
    Cipher,
    LocalUris,
    Peer(PeerPiece),
}

/// A part of what is known of the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PeerPiece {
    Subject,
    Issuer,
    Uris,
    DnsNames,
    Fingerprint,
    Serial,
    Certificate,
}

impl TlsPiece {
    /// The part that `operator` means, if it means one.
    pub(super) fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "DOWNSTREAM_TLS_VERSION" => Self::Version,
            "DOWNSTREAM_TLS_CIPHER" => Self::Cipher,
            "DOWNSTREAM_LOCAL_URI_SAN" => Self::LocalUris,
            "DOWNSTREAM_PEER_SUBJECT" => Self::Peer(PeerPiece::Subject),
            "DOWNSTREAM_PEER_ISSUER" => Self::Peer(PeerPiece::Issuer),
            "DOWNSTREAM_PEER_URI_SAN" => Self::Peer(PeerPiece::Uris),
            "DOWNSTREAM_PEER_DNS_SAN" => Self::Peer(PeerPiece::DnsNames),
            "DOWNSTREAM_PEER_FINGERPRINT_256" => Self::Peer(PeerPiece::Fingerprint),
            "DOWNSTREAM_PEER_SERIAL" => Self::Peer(PeerPiece::Serial),
            "DOWNSTREAM_PEER_CERT" => Self::Peer(PeerPiece::Certificate),
            _ => return None,
        })
    }

    /// Its text; empty where there is none.
    pub(super) fn text(self, tls: Option<&Rc<TlsFacts>>) -> String {
        let Some(tls) = tls else { return String::new() };
        match self {
            Self::Version => tls.version.to_owned(),
            Self::Cipher => tls.cipher.to_owned(),
            Self::LocalUris => tls.local_uris.join(","),
            Self::Peer(piece) => {
                tls.peer.as_deref().map(|peer| of_peer(piece, peer)).unwrap_or_default()
            }
        }
    }
}

fn of_peer(piece: PeerPiece, peer: &PeerFacts) -> String {
    match piece {
        PeerPiece::Subject => peer.subject.clone(),
        PeerPiece::Issuer => peer.issuer.clone(),
        PeerPiece::Uris => peer.uris.join(","),
        PeerPiece::DnsNames => peer.dns_names.join(","),
        PeerPiece::Fingerprint => peer.sha256.clone(),
        PeerPiece::Serial => peer.serial.clone(),
        PeerPiece::Certificate => peer.pem.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::TlsPiece;
    use crate::tls::{PeerFacts, TlsFacts};

    #[test]
    fn a_certificate_is_told_in_parts() {
        let peer = PeerFacts {
            subject: "CN=a".to_owned(),
            uris: vec!["spiffe://a".to_owned(), "spiffe://b".to_owned()],
            ..PeerFacts::default()
        };
        let facts =
            TlsFacts { version: "TLSv1.3", peer: Some(Box::new(peer)), ..TlsFacts::default() };
        let facts = Rc::new(facts);
        let text = |operator: &str| TlsPiece::of(operator).unwrap().text(Some(&facts));
        assert_eq!(text("DOWNSTREAM_TLS_VERSION"), "TLSv1.3");
        assert_eq!(text("DOWNSTREAM_PEER_SUBJECT"), "CN=a");
        assert_eq!(text("DOWNSTREAM_PEER_URI_SAN"), "spiffe://a,spiffe://b");
        assert_eq!(text("DOWNSTREAM_PEER_ISSUER"), "");
        assert_eq!(TlsPiece::Cipher.text(None), "");
        assert_eq!(TlsPiece::of("REQUESTED_SERVER_NAME"), None);
    }
}
