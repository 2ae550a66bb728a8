//! `x-forwarded-client-cert`: what upstreams learn of the client's certificate.

use http::{HeaderName, HeaderValue};

use crate::headers::Headers;
use crate::http_manager::{ClientCertDetails, ForwardClientCert, HttpManager};
use crate::tls::{Certificate, TlsSession};

const NAME: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Removes, keeps or writes the header, as the manager says. What a client without a certificate sends is not believed,
/// unless it is forwarded always.
pub(super) fn forward(manager: &HttpManager, headers: &mut Headers, session: Option<&TlsSession>) {
    let mode = manager.forward_client_cert;
    if mode == ForwardClientCert::AlwaysForwardOnly {
        return;
    }
    let shown = session.and_then(|session| Some((session.peer.as_deref()?, &*session.local)));
    let Some((peer, local)) = shown.filter(|_| mode != ForwardClientCert::Sanitize) else {
        headers.remove(NAME);
        return;
    };
    if mode == ForwardClientCert::ForwardOnly {
        return;
    }
    let mut text = Vec::new();
    if mode == ForwardClientCert::AppendForward {
        for value in headers.get_all(NAME) {
            text.extend_from_slice(value.as_bytes());
            text.push(b',');
        }
    }
    text.extend_from_slice(element(manager.client_cert_details, peer, local).as_bytes());
    match HeaderValue::from_bytes(&text) {
        Ok(value) => headers.insert(NAME, value),
        // A certificate with names that no header can hold is not told at all.
        Err(_) => headers.remove(NAME),
    };
}

/// The element that describes `certificate`, which was shown to somebody with the certificate `local`.
fn element(wanted: ClientCertDetails, certificate: &Certificate, local: &Certificate) -> String {
    let mut parts: Vec<String> = local.uris.iter().map(|uri| format!("By={uri}")).collect();
    if !certificate.sha256.is_empty() {
        parts.push(format!("Hash={}", certificate.sha256));
    }
    if wanted.cert && !certificate.pem.is_empty() {
        parts.push(format!("Cert=\"{}\"", certificate.pem));
    }
    if wanted.chain && !certificate.chain.is_empty() {
        parts.push(format!("Chain=\"{}\"", certificate.chain));
    }
    if wanted.subject {
        parts.push(format!("Subject=\"{}\"", certificate.subject));
    }
    if wanted.uri {
        if certificate.uris.is_empty() {
            parts.push("URI=".to_owned());
        }
        parts.extend(certificate.uris.iter().map(|uri| format!("URI={uri}")));
    }
    if wanted.dns {
        parts.extend(certificate.dns_names.iter().map(|name| format!("DNS={name}")));
    }
    parts.join(";")
}

#[cfg(test)]
mod tests {
    use super::element;
    use crate::http_manager::ClientCertDetails;
    use crate::tls::Certificate;

    #[test]
    fn details_come_in_envoys_order() {
        let certificate = Certificate {
            sha256: "c0ffee".to_owned(),
            subject: "CN=client".to_owned(),
            uris: ["spiffe://t/ns/a/sa/b", "spiffe://t/ns/c/sa/d"].map(str::to_owned).into(),
            dns_names: vec!["client.example".to_owned()],
            pem: "pem".to_owned(),
            ..Certificate::default()
        };
        let local =
            Certificate { uris: vec!["spiffe://t/ns/x/sa/y".to_owned()], ..Certificate::default() };
        let all =
            ClientCertDetails { subject: true, cert: true, chain: true, dns: true, uri: true };
        assert_eq!(
            element(all, &certificate, &local),
            "By=spiffe://t/ns/x/sa/y;Hash=c0ffee;Cert=\"pem\";Subject=\"CN=client\";\
             URI=spiffe://t/ns/a/sa/b;URI=spiffe://t/ns/c/sa/d;DNS=client.example"
        );
        let none = ClientCertDetails::default();
        let nobody = Certificate::default();
        assert_eq!(element(none, &nobody, &nobody), "");
    }
}
