//! Packing typed messages into `google.protobuf.Any` and back.

use prost::{Message, Name};
use prost_types::Any;

/// Why an `Any` could not be read as the message that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AnyError {
    /// The `Any` holds another type.
    #[error("expected a message of type {expected}, found {found}")]
    OtherType {
        /// Full name of the message asked for.
        expected: String,
        /// Full name of the message inside.
        found: String,
    },
    /// The bytes are not a valid message of that type.
    #[error("broken {type_name}: {source}")]
    Broken {
        /// Full name of the message asked for.
        type_name: String,
        /// What the decoder found.
        source: prost::DecodeError,
    },
}

/// Packs `message` under the type URL that Envoy uses (`type.googleapis.com/…`).
pub fn pack<M: Message + Name>(message: &M) -> Any {
    Any { type_url: type_url::<M>(), value: message.encode_to_vec() }
}

/// The type URL of `M`: `type.googleapis.com/<full name>`.
pub fn type_url<M: Name>() -> String {
    format!("type.googleapis.com/{}", M::full_name())
}

/// The full message name inside a type URL: what follows the last `/`.
pub fn type_name(any: &Any) -> &str {
    any.type_url.rsplit('/').next().unwrap_or_default()
}

/// Unpacks `any` as an `M`.
///
/// # Errors
/// When it holds another type, or bytes that do not decode.
pub fn unpack<M: Message + Name + Default>(any: &Any) -> Result<M, AnyError> {
    let expected = M::full_name();
    if type_name(any) != expected {
        return Err(AnyError::OtherType { expected, found: type_name(any).to_owned() });
    }
    M::decode(any.value.as_slice())
        .map_err(|source| AnyError::Broken { type_name: expected, source })
}

#[cfg(test)]
mod tests {
    use super::{AnyError, pack, unpack};
    use crate::envoy::extensions::filters::http::router::v3::Router;
    use crate::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

    #[test]
    fn a_packed_message_comes_back() {
        let proxy = TcpProxy { stat_prefix: "x".into(), ..Default::default() };
        let any = pack(&proxy);
        assert_eq!(
            any.type_url,
            "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
        );
        assert_eq!(unpack::<TcpProxy>(&any).unwrap(), proxy);
    }

    #[test]
    fn another_type_is_named() {
        let error = unpack::<Router>(&pack(&TcpProxy::default())).unwrap_err();
        assert!(matches!(error, AnyError::OtherType { found, .. } if found.ends_with("TcpProxy")));
    }
}
