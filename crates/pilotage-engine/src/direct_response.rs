//! Answers that a route gives itself.

use bytes::Bytes;
use http::StatusCode;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::config::route::v3::DirectResponseAction as Proto;

use crate::rejection::FieldError;

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// Status.
    pub status: StatusCode,
    /// Body; may be empty.
    pub body: Bytes,
}

impl DirectResponse {
    /// `max_body` is the route configuration's limit of bodies, in bytes.
    pub(crate) fn compile(proto: &Proto, max_body: usize) -> Result<Self, FieldError> {
        let status = u16::try_from(proto.status)
            .ok()
            .filter(|status| (200..600).contains(status))
            .and_then(|status| StatusCode::from_u16(status).ok())
            .ok_or_else(|| FieldError::new("status", "must be at least 200 and below 600"))?;
        let body = match proto.body.as_ref().and_then(|body| body.specifier.as_ref()) {
            None => Bytes::new(),
            Some(Specifier::InlineString(text)) => Bytes::copy_from_slice(text.as_bytes()),
            Some(Specifier::InlineBytes(bytes)) => Bytes::copy_from_slice(bytes),
            Some(Specifier::Filename(_)) => {
                return Err(FieldError::new("body.filename", "bodies are not read from files"));
            }
            Some(Specifier::EnvironmentVariable(_)) => {
                let message = "bodies are not read from the environment";
                return Err(FieldError::new("body.environment_variable", message));
            }
        };
        if body.len() > max_body {
            let message = format!("is {} bytes long, the limit is {max_body}", body.len());
            return Err(FieldError::new("body", message));
        }
        Ok(Self { status, body })
    }
}

#[cfg(test)]
mod tests {
    use pilotage_proto::json::from_value;
    use serde_json::json;

    use super::DirectResponse;

    #[test]
    fn answers_have_a_sane_status_and_size() {
        let compile = |value| DirectResponse::compile(&from_value(&value).unwrap(), 4);
        assert_eq!(compile(json!({"status": 503})).unwrap().status, 503);
        assert_eq!(
            compile(json!({"status": 200, "body": {"inlineString": "four"}})).unwrap().body,
            "four"
        );
        for wrong in [
            json!({}),
            json!({"status": 100}),
            json!({"status": 600}),
            json!({"status": 200, "body": {"inlineString": "fives"}}),
            json!({"status": 200, "body": {"filename": "x"}}),
        ] {
            assert!(compile(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
