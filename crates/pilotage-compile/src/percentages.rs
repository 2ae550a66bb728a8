//! Shares of requests as Envoy's fractions.

use pilotage_config::virtual_service::Percent;
use pilotage_proto::envoy::config::core::v3::RuntimeFractionalPercent;
use pilotage_proto::envoy::r#type::v3::FractionalPercent;
use pilotage_proto::envoy::r#type::v3::fractional_percent::DenominatorType;

/// A share with four decimals, further ones cut off as floating-point numbers do: 1.0009 % is 10008 millionths.
pub(crate) fn of_percent(percent: &Percent) -> FractionalPercent {
    FractionalPercent {
        numerator: (percent.value.get() * 10_000.0) as u32,
        denominator: DenominatorType::Million as i32,
    }
}

/// A share in whole percent; what is below zero counts as zero.
pub(crate) fn of_whole(percent: i64) -> FractionalPercent {
    FractionalPercent {
        numerator: u32::try_from(percent).unwrap_or(0),
        denominator: DenominatorType::Hundred as i32,
    }
}

/// A share that Envoy's runtime could override, which we never do.
pub(crate) fn fixed(share: FractionalPercent) -> RuntimeFractionalPercent {
    RuntimeFractionalPercent { default_value: Some(share), runtime_key: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_beyond_the_fourth_are_cut_off() {
        let millionths = |value: f64| of_percent(&Percent { value: value.into() }).numerator;
        assert_eq!(millionths(12.345_67), 123_456);
        assert_eq!(millionths(1.0009), 10_008);
        assert_eq!(millionths(0.000_04), 0);
        assert_eq!(millionths(100.0), 1_000_000);
        assert_eq!(millionths(-1.0), 0);
    }
}
