//! `trafficPolicy.outlierDetection`: when endpoints are taken out for failing.

use crate::duration::Duration;
use crate::message::message;

message! {
    /// When endpoints are taken out for failing, and for how long.
    pub struct OutlierDetection {
        /// Deprecated and without effect.
        pub consecutive_errors: i32,
        /// Whether failures to connect are counted apart from errors of the host.
        pub split_external_local_origin_errors: bool,
        /// Failures to connect in a row, counted when split.
        pub consecutive_local_origin_failures: Option<u32>,
        /// Answers 502, 503 or 504 in a row.
        pub consecutive_gateway_errors: Option<u32>,
        /// Answers 5xx in a row; 0 turns this off.
        pub consecutive_5xx_errors: Option<u32>,
        /// Time between looks at the endpoints.
        pub interval: Option<Duration>,
        /// How long an endpoint is out the first time.
        pub base_ejection_time: Option<Duration>,
        /// The most endpoints that may be out, in percent; 0 means 10.
        pub max_ejection_percent: i32,
        /// The share of healthy endpoints below which all are used, in percent.
        pub min_health_percent: i32,
        /// Status codes that count as errors, instead of all 5xx.
        pub outlier_detection_http_error_codes: Vec<u32>,
    }
}
