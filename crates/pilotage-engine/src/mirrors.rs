//! Mirroring: copies of requests whose answers nobody waits for.

use std::sync::Arc;

use pilotage_proto::envoy::config::route::v3::route_action::RequestMirrorPolicy as Proto;

use crate::fraction::Fraction;
use crate::rejection::FieldError;

/// One mirror of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Cluster that gets the copies.
    pub cluster: Arc<str>,
    /// Share of the requests that are copied.
    pub fraction: Fraction,
    /// The copy's host keeps its name, rather than getting `-shadow` appended.
    pub keep_host: bool,
}

impl Mirror {
    pub(crate) fn compile(proto: &Proto) -> Result<Self, FieldError> {
        if !proto.cluster_header.is_empty() {
            return Err(FieldError::new("cluster_header", "is not supported"));
        }
        if proto.cluster.is_empty() {
            return Err(FieldError::new("cluster", "must not be empty"));
        }
        Ok(Self {
            cluster: proto.cluster.as_str().into(),
            fraction: proto.runtime_fraction.as_ref().map_or(Fraction::ALL, Fraction::of_runtime),
            keep_host: proto.disable_shadow_host_suffix_append,
        })
    }

    /// The host of a copy of a request to `authority`: `-shadow` goes before the port.
    pub fn host(&self, authority: &str) -> String {
        if self.keep_host {
            return authority.to_owned();
        }
        match crate::domains::split_port(authority) {
            (host, Some(port)) => format!("{host}-shadow:{port}"),
            (host, None) => format!("{host}-shadow"),
        }
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::json::from_value;
    use serde_json::json;

    use super::Mirror;

    #[test]
    fn shadows_are_named_before_the_port() {
        let mirror = |value| Mirror::compile(&from_value(&value).unwrap());
        assert_eq!(mirror(json!({"cluster": "a"})).unwrap().host("b:80"), "b-shadow:80");
        let kept = json!({"cluster": "a", "disableShadowHostSuffixAppend": true});
        assert_eq!(mirror(kept).unwrap().host("b:80"), "b:80");
        assert!(mirror(json!({})).is_err());
    }
}
