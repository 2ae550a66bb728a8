//! Small conversions to protobuf's own types.

use pilotage_config::Duration;

/// A duration as protobuf has it.
pub(crate) fn duration(duration: Duration) -> pilotage_proto::Duration {
    let nanos = duration.as_nanos();
    pilotage_proto::Duration {
        seconds: nanos / 1_000_000_000,
        nanos: i32::try_from(nanos % 1_000_000_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_their_fraction_and_sign() {
        let proto = duration(Duration::from_millis(2500));
        assert_eq!((proto.seconds, proto.nanos), (2, 500_000_000));
        let proto = duration(Duration::from_millis(-1500));
        assert_eq!((proto.seconds, proto.nanos), (-1, -500_000_000));
    }
}
