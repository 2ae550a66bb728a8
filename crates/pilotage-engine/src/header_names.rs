//! How names of headers are spelled over HTTP/1. They mean the same in any spelling, but some programs want theirs.

use pilotage_proto::envoy::config::core::v3::Http1ProtocolOptions;
use pilotage_proto::envoy::config::core::v3::http1_protocol_options::header_key_format::HeaderFormat;
use pilotage_proto::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use pilotage_proto::envoy::extensions::http::header_formatters::preserve_case::v3::preserve_case_formatter_config::FormatterTypeOnEnvoyHeaders;
use pilotage_proto::unpack;

use crate::rejection::FieldError;

/// How the names of headers are spelled in messages on one side: towards clients, or towards the endpoints of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderNames {
    /// In lower case, as HTTP/2 has them.
    #[default]
    Lower,
    /// Each word written here begins with a capital: `X-Request-Id`.
    Proper,
    /// Messages that are read here go out on the other side as they were spelled; whatever is written here without
    /// such a memory is in lower case.
    Remembered(Memory),
}

/// What is remembered of a message that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Names that the message did not have, because they were added on the way, are spelled as
    /// [`HeaderNames::Proper`].
    pub proper_others: bool,
    /// The phrase after the status is passed on as well.
    pub reason_phrase: bool,
}

impl HeaderNames {
    /// What `header_key_format` says.
    pub(crate) fn compile(options: &Http1ProtocolOptions) -> Result<Self, FieldError> {
        let format = options.header_key_format.as_ref();
        let Some(format) = format.and_then(|format| format.header_format.as_ref()) else {
            return Ok(Self::Lower);
        };
        let formatter = match format {
            HeaderFormat::ProperCaseWords(_) => return Ok(Self::Proper),
            HeaderFormat::StatefulFormatter(formatter) => formatter,
        };
        let error = |text: String| FieldError::new("header_key_format.stateful_formatter", text);
        let config = formatter.typed_config.as_ref();
        let config = config.ok_or_else(|| error("has no configuration".to_owned()))?;
        let config: PreserveCaseFormatterConfig =
            unpack(config).map_err(|problem| error(problem.to_string()))?;
        Ok(Self::Remembered(Memory {
            proper_others: config.formatter_type_on_envoy_headers()
                == FormatterTypeOnEnvoyHeaders::ProperCase,
            reason_phrase: config.forward_reason_phrase,
        }))
    }

    /// What to remember of messages that are read.
    #[must_use]
    pub fn memory(self) -> Option<Memory> {
        match self {
            Self::Remembered(memory) => Some(memory),
            Self::Lower | Self::Proper => None,
        }
    }
}
