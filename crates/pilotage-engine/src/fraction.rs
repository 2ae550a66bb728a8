//! Shares of all requests.

use pilotage_proto::envoy::config::core::v3::RuntimeFractionalPercent;
use pilotage_proto::envoy::r#type::v3::FractionalPercent;
use pilotage_proto::envoy::r#type::v3::fractional_percent::DenominatorType;

/// A share: `numerator` out of `denominator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: u32,
    denominator: u32,
}

impl Fraction {
    /// Everything.
    pub const ALL: Self = Self { numerator: 100, denominator: 100 };
    /// Nothing.
    pub const NONE: Self = Self { numerator: 0, denominator: 100 };

    pub(crate) fn compile(proto: &FractionalPercent) -> Self {
        let denominator = match proto.denominator() {
            DenominatorType::Hundred => 100,
            DenominatorType::TenThousand => 10_000,
            DenominatorType::Million => 1_000_000,
        };
        Self { numerator: proto.numerator, denominator }
    }

    /// The default of a runtime fraction; runtime keys are not looked up. `None` in the message counts as everything.
    pub(crate) fn of_runtime(proto: &RuntimeFractionalPercent) -> Self {
        proto.default_value.as_ref().map_or(Self::NONE, Self::compile)
    }

    /// Whether a request with this random number belongs to the share.
    pub fn contains(self, random: u64) -> bool {
        random
            .checked_rem(u64::from(self.denominator))
            .is_some_and(|r| r < u64::from(self.numerator))
    }

    /// Draws, asking for a random number only when the outcome is open.
    pub fn draw(self, random: impl FnOnce() -> u64) -> bool {
        if self.numerator == 0 {
            false
        } else {
            self.numerator >= self.denominator || self.contains(random())
        }
    }

    /// In millionths, as shown to people.
    pub fn millionths(self) -> u32 {
        let wide = u64::from(self.numerator) * 1_000_000 / u64::from(self.denominator.max(1));
        u32::try_from(wide.min(1_000_000)).unwrap_or(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Fraction;

    #[test]
    fn certain_outcomes_need_no_chance() {
        assert!(Fraction::ALL.draw(|| panic!("asked")));
        assert!(!Fraction::NONE.draw(|| panic!("asked")));
        let tenth = Fraction { numerator: 10, denominator: 100 };
        assert_eq!((0..1000).filter(|r| tenth.draw(|| *r)).count(), 100);
        assert_eq!(tenth.millionths(), 100_000);
    }
}
