//! How connections to an endpoint are secured, in words.

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::string_match::Pattern;
use pilotage_engine::tls::{Authorities, CertificateSource, Data, NameMatcher, ValidationSource};
use serde_json::{Map, Value};

/// Every setting of TLS that is set; nothing for plain text.
pub(super) fn told(settings: &ClusterSettings, endpoint: &Endpoint) -> Value {
    let Some(tls) = &endpoint.tls else { return Value::Null };
    let server_name = match settings.server_name.of_request {
        true => "of the request".to_owned(),
        false => tls.server_name.to_string(),
    };
    let shown = tls.settings.certificates.first().map(|source| match source {
        CertificateSource::Inline(pair) => format!("{} {}", data(&pair.chain), data(&pair.key)),
        CertificateSource::Secret(name) => name.to_string(),
    });
    let mut facts = vec![
        ("server name", Some(server_name).filter(|name| !name.is_empty())),
        ("shows", shown),
        ("ciphers", joined(tls.settings.parameters.ciphers.iter().map(|c| format!("{c:?}")))),
        ("curves", joined(tls.settings.parameters.curves.iter().map(|c| format!("{c:?}")))),
        ("offers", joined(tls.settings.application_protocols.iter().map(ToString::to_string))),
    ];
    match &tls.settings.validation {
        Some(validation) => facts.extend(checked(validation, settings)),
        None => facts.push(("believes", Some("anybody".to_owned()))),
    }
    let told = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Value::Object(told.collect::<Map<_, _>>())
}

fn checked(
    validation: &ValidationSource,
    settings: &ClusterSettings,
) -> [(&'static str, Option<String>); 3] {
    let ValidationSource { own, secret } = validation;
    let authorities = match (&own.authorities, secret) {
        (_, Some(secret)) => secret.to_string(),
        (Authorities::Pem(pem), None) => data(pem),
        (Authorities::System, None) => "the system".to_owned(),
        (Authorities::None, None) => "anybody".to_owned(),
    };
    let names = joined(own.names.iter().map(name));
    let of_request = settings.server_name.checks_certificate.then(|| "of the request".to_owned());
    [
        ("believes", Some(authorities)),
        ("name", names.or(of_request)),
        ("revoked", own.revoked.as_ref().map(data)),
    ]
}

fn joined(all: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = all.collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn name(matcher: &NameMatcher) -> String {
    match matcher.matcher().pattern() {
        Pattern::Exact(text) => text.to_string(),
        pattern => format!("{pattern:?}"),
    }
}

fn data(data: &Data) -> String {
    match data {
        Data::File(path) => path.to_string(),
        Data::Inline(bytes) => format!("{} bytes", bytes.len()),
    }
}
