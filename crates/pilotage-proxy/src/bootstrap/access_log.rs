//! The access logs that connection managers ask for. This proxy writes one for all its listeners.

use pilotage_engine::FieldError;
use pilotage_proto::envoy::config::accesslog::v3::AccessLog;
use pilotage_proto::envoy::config::accesslog::v3::access_log::ConfigType;
use pilotage_proto::envoy::config::core::v3::SubstitutionFormatString;
use pilotage_proto::envoy::config::core::v3::data_source::Specifier;
use pilotage_proto::envoy::config::core::v3::substitution_format_string::Format;
use pilotage_proto::envoy::config::listener::v3::Listener;
use pilotage_proto::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use pilotage_proto::envoy::extensions::access_loggers::file::v3::file_access_log::AccessLogFormat;
use pilotage_proto::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log, stdout_access_log,
};
use pilotage_proto::{Name as _, type_name, unpack};

use super::clusters::managers;
use crate::access_log::{AccessLogSettings, LogFormat, LogTarget};

/// What Envoy writes when nothing else is asked for.
const ENVOY_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
    \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// The access log of all listeners seen so far.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// File and format.
    log: Option<(String, String)>,
}

impl Logs {
    /// Takes over what the connection managers of `listener` log; names what cannot be taken over.
    pub(super) fn add(&mut self, listener: &Listener) -> Vec<FieldError> {
        let mut problems = Vec::new();
        for (place, manager) in managers(listener) {
            for (index, log) in manager.access_log.iter().enumerate() {
                let taken = wanted(log).and_then(|wanted| self.take(wanted));
                let place = format!("{place}.access_log[{index}]");
                problems.extend(taken.err().map(|error| error.within(place)));
            }
        }
        problems
    }

    fn take(&mut self, wanted: (String, String)) -> Result<(), FieldError> {
        if *self.log.get_or_insert_with(|| wanted.clone()) == wanted {
            return Ok(());
        }
        let message =
            "there is one access log for all listeners, and another one is asked for before";
        Err(FieldError::new("typed_config", message))
    }

    pub(super) fn settings(self) -> AccessLogSettings {
        let Some((file, format)) = self.log else { return AccessLogSettings::default() };
        let target = match file.as_str() {
            "/dev/null" => None,
            "/dev/stdout" => Some(LogTarget::Stdout),
            "/dev/stderr" => Some(LogTarget::Stderr),
            path => Some(LogTarget::File(path.into())),
        };
        AccessLogSettings { target, format: LogFormat::Custom(format) }
    }
}

/// File and format of one log.
fn wanted(log: &AccessLog) -> Result<(String, String), FieldError> {
    if log.filter.is_some() {
        return Err(FieldError::new("filter", "every request is logged, or none"));
    }
    let Some(ConfigType::TypedConfig(any)) = &log.config_type else {
        return Err(FieldError::new("typed_config", "is required"));
    };
    let broken =
        |error: pilotage_proto::AnyError| FieldError::new("typed_config", error.to_string());
    let kind = type_name(any);
    let (file, format) = if kind == FileAccessLog::full_name() {
        let file: FileAccessLog = unpack(any).map_err(broken)?;
        let format = match file.access_log_format {
            Some(AccessLogFormat::Format(format)) => Ok(format),
            Some(AccessLogFormat::LogFormat(format)) => text(Some(&format)),
            Some(AccessLogFormat::JsonFormat(_)) => Err(only_text()),
            None => text(None),
        };
        (file.path, format)
    } else if kind == StdoutAccessLog::full_name() {
        let stdout_access_log::AccessLogFormat::LogFormat(format) =
            match unpack::<StdoutAccessLog>(any).map_err(broken)?.access_log_format {
                Some(format) => format,
                None => return Ok(("/dev/stdout".to_owned(), ENVOY_FORMAT.to_owned())),
            };
        ("/dev/stdout".to_owned(), text(Some(&format)))
    } else if kind == StderrAccessLog::full_name() {
        let stderr_access_log::AccessLogFormat::LogFormat(format) =
            match unpack::<StderrAccessLog>(any).map_err(broken)?.access_log_format {
                Some(format) => format,
                None => return Ok(("/dev/stderr".to_owned(), ENVOY_FORMAT.to_owned())),
            };
        ("/dev/stderr".to_owned(), text(Some(&format)))
    } else {
        let message = format!("access logs of type {kind} are not written");
        return Err(FieldError::new("typed_config", message));
    };
    Ok((file, format.map_err(|error| error.within("typed_config"))?))
}

fn only_text() -> FieldError {
    FieldError::new("log_format", "only text formats are written")
}

fn source_error(field: &str, message: String) -> FieldError {
    FieldError::new(field, message).within("log_format.text_format_source")
}

fn text(format: Option<&SubstitutionFormatString>) -> Result<String, FieldError> {
    let Some(format) = format else { return Ok(ENVOY_FORMAT.to_owned()) };
    match &format.format {
        Some(Format::TextFormat(text)) => Ok(text.clone()),
        Some(Format::TextFormatSource(source)) => match &source.specifier {
            Some(Specifier::InlineString(text)) => Ok(text.clone()),
            Some(Specifier::InlineBytes(bytes)) => String::from_utf8(bytes.clone())
                .map_err(|_| source_error("inline_bytes", "is not UTF-8".to_owned())),
            Some(Specifier::Filename(path)) => std::fs::read_to_string(path)
                .map_err(|error| source_error("filename", format!("`{path}`: {error}"))),
            Some(Specifier::EnvironmentVariable(name)) => std::env::var(name).map_err(|error| {
                source_error("environment_variable", format!("`{name}`: {error}"))
            }),
            None => Err(source_error("", "is empty".to_owned())),
        },
        Some(Format::JsonFormat(_)) | None => Err(only_text()),
    }
}
