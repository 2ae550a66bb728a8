//! `http[].mirror`, `mirrors[]` and the shares of requests they copy.

use pilotage_config::virtual_service::{Destination, HttpRoute, Percent};
use pilotage_proto::envoy::config::route::v3::route_action::RequestMirrorPolicy;
use pilotage_proto::envoy::r#type::v3::FractionalPercent;

use crate::percentages;

/// The copies that a rule asks for; `cluster` names the cluster of a destination.
///
/// A share that is written as 0 takes the copy out, while one that only rounds to 0 stays. The shares beside `mirror`
/// say nothing about `mirrors`.
pub(crate) fn policies(
    rule: &HttpRoute,
    cluster: impl Fn(&Destination) -> String,
) -> Vec<RequestMirrorPolicy> {
    let single = rule.mirror.as_deref().into_iter().map(|mirror| (mirror, share_of_mirror(rule)));
    let several = rule.mirrors.iter().filter_map(|mirror| {
        Some((mirror.destination.as_ref()?, share(mirror.percentage.as_ref())))
    });
    single
        .chain(several)
        .filter_map(|(destination, share)| Some(policy(cluster(destination), share?)))
        .collect()
}

/// The share of `mirror`: all requests, unless one of the two fields says otherwise.
fn share_of_mirror(rule: &HttpRoute) -> Option<FractionalPercent> {
    match rule.mirror_percent {
        Some(percent) if rule.mirror_percentage.is_none() => {
            (percent > 0).then(|| percentages::of_whole(percent.into()))
        }
        _ => share(rule.mirror_percentage.as_ref()),
    }
}

/// A share, all requests when nothing is said, nothing for 0.
fn share(percentage: Option<&Percent>) -> Option<FractionalPercent> {
    match percentage {
        None => Some(percentages::of_whole(100)),
        Some(percentage) => {
            (percentage.value.get() > 0.0).then(|| percentages::of_percent(percentage))
        }
    }
}

fn policy(cluster: String, share: FractionalPercent) -> RequestMirrorPolicy {
    RequestMirrorPolicy {
        cluster,
        runtime_fraction: Some(percentages::fixed(share)),
        trace_sampled: Some(false),
        disable_shadow_host_suffix_append: true,
        ..RequestMirrorPolicy::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(mirror_percent: Option<u32>, mirror_percentage: Option<f64>) -> Vec<u32> {
        let rule = HttpRoute {
            mirror: Some(Box::new(Destination { host: "audit".into(), ..Destination::default() })),
            mirror_percent,
            mirror_percentage: mirror_percentage.map(|value| Percent { value: value.into() }),
            ..HttpRoute::default()
        };
        let found = policies(&rule, |destination| destination.host.clone());
        found
            .iter()
            .filter_map(|policy| policy.runtime_fraction.as_ref()?.default_value.as_ref())
            .map(|share| share.numerator)
            .collect()
    }

    #[test]
    fn zero_takes_the_copy_out_and_a_rounded_zero_does_not() {
        assert_eq!(shares(None, None), [100]);
        assert_eq!(shares(Some(25), None), [25]);
        assert!(shares(Some(0), None).is_empty());
        assert!(shares(Some(25), Some(0.0)).is_empty());
        assert_eq!(shares(Some(25), Some(60.0)), [600_000]);
        assert_eq!(shares(None, Some(0.000_04)), [0]);
    }
}
