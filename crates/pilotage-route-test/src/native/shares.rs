//! Destinations with their shares, as written in tests.

use std::fmt;

use pilotage_config::decode::{Decode, Decoder};
use pilotage_config::schema::Shape;
use pilotage_config::yaml::{Node, NodeKind};

/// Shares within this many percent of each other are the same: thirds can be written as 33.3.
const TOLERANCE_PERCENT: f64 = 0.051;
const MILLIONTHS: f64 = 10_000.0;

/// Destinations that requests go to, each with its share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shares(pub Vec<Share>);

/// A destination with its share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// `HOST[:PORT][/SUBSET]`, or the name of a cluster.
    pub destination: String,
    /// Its share in millionths of all requests.
    millionths: u64,
}

impl Share {
    /// `percent` of requests to `destination`.
    #[must_use]
    pub fn new(destination: &str, percent: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "percentages, which were checked"
        )]
        let millionths = (percent * MILLIONTHS).round() as u64;
        Self { destination: destination.to_owned(), millionths }
    }

    /// The share in percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most a million")]
        let millionths = self.millionths as f64;
        millionths / MILLIONTHS
    }
}

impl Decode for Shares {
    const SHAPE: Shape = Shape::Scalar("destinations with shares, or `none`");

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let read = match &node.kind {
            NodeKind::String(text) => Self::parse(text),
            NodeKind::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let percent = number(&entry.value)
                        .ok_or_else(|| format!("`{}` lacks its share in percent", entry.key))?;
                    Ok(Share::new(&entry.key, percent))
                })
                .collect::<Result<_, String>>()
                .and_then(Self::checked),
            _ => {
                decoder
                    .wrong_type(node, "destinations: `HOST/SUBSET`, or a mapping to percentages");
                return None;
            }
        };
        match read {
            Ok(shares) => Some(shares),
            Err(problem) => {
                decoder.invalid(node, problem, "here");
                None
            }
        }
    }
}

fn number(node: &Node) -> Option<f64> {
    let text = match &node.kind {
        NodeKind::Int(raw) | NodeKind::Float(raw) | NodeKind::String(raw) => raw,
        _ => return None,
    };
    let percent: f64 = text.trim().trim_end_matches('%').trim().parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent)
}

impl Shares {
    /// Reads `none`, `reviews/v1` or `90% reviews/v1, 10% reviews/v2`.
    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text.trim(), "none" | "-") {
            return Ok(Self::default());
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        let several = parts.len() > 1;
        let shares = parts.into_iter().map(|part| {
            let (share, name) = match part.split_once('%') {
                Some((share, name)) => (Some(share.trim()), name.trim()),
                None => (None, part),
            };
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(format!("`{part}` is no destination; write `90% HOST/SUBSET`"));
            }
            match share.map(|share| share.parse::<f64>()) {
                Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => {
                    Ok(Share::new(name, percent))
                }
                None if !several => Ok(Share::new(name, 100.0)),
                None => Err(format!("`{name}` lacks its share: write `90% {name}`")),
                Some(_) => Err(format!("`{part}`: a share is a number from 0 to 100")),
            }
        });
        Self::checked(shares.collect::<Result<_, _>>()?)
    }

    fn checked(shares: Vec<Share>) -> Result<Self, String> {
        let sum: f64 = shares.iter().map(Share::percent).sum();
        if !shares.is_empty() && sum > 100.0 + 0.5 {
            return Err(format!("the shares are {sum} % together"));
        }
        Ok(Self(shares))
    }

    /// Whether `got`, clusters with shares in percent, is what these say. Destinations without requests need not be
    /// written.
    #[must_use]
    pub fn fit(&self, got: &[(String, f64)]) -> bool {
        let mut left: Vec<&(String, f64)> =
            got.iter().filter(|(_, percent)| *percent > 0.0).collect();
        for share in &self.0 {
            let found: f64 = left
                .extract_if(.., |(cluster, _)| fits(&share.destination, cluster))
                .map(|(_, percent)| *percent)
                .sum();
            if (found - share.percent()).abs() > TOLERANCE_PERCENT {
                return false;
            }
        }
        left.is_empty()
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<(String, f64)> =
            self.0.iter().map(|share| (share.destination.clone(), share.percent())).collect();
        f.write_str(&listed(&all))
    }
}

/// `got` as tests write it.
pub(super) fn listed(shares: &[(String, f64)]) -> String {
    match shares {
        [] => "none".to_owned(),
        [(only, percent)] if *percent >= 100.0 => only.clone(),
        all => {
            let each = all.iter().map(|(name, percent)| format!("{}% {name}", rounded(*percent)));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// A percentage without needless digits.
pub(super) fn rounded(percent: f64) -> String {
    let text = format!("{percent:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whether `written` means `cluster`: its name, or host, port and subset as far as they are written. A destination
/// without subset is the whole service.
fn fits(written: &str, cluster: &str) -> bool {
    if written == cluster {
        return true;
    }
    let mut parts = cluster.split('|');
    let (Some(_), Some(port), Some(subset), Some(host)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (place, wanted_subset) = written.split_once('/').unwrap_or((written, ""));
    let (wanted_host, wanted_port) = match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (place, None),
    };
    let same_host = host == wanted_host
        || host.strip_prefix(wanted_host).is_some_and(|rest| rest.starts_with('.'));
    same_host && wanted_subset == subset && wanted_port.is_none_or(|wanted| wanted == port)
}

/// `cluster` as tests write it.
pub(super) fn short(cluster: &str) -> String {
    let parts: Vec<&str> = cluster.split('|').collect();
    let [_, port, subset, host] = parts.as_slice() else { return cluster.to_owned() };
    let host = host.strip_suffix(".svc.cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".default").unwrap_or(host);
    let subset = if subset.is_empty() { String::new() } else { format!("/{subset}") };
    let _ = port;
    format!("{host}{subset}")
}

#[cfg(test)]
mod tests {
    use super::{Shares, short};

    fn fit(written: &str, got: &[(&str, f64)]) -> bool {
        let got: Vec<(String, f64)> =
            got.iter().map(|(name, percent)| ((*name).to_owned(), *percent)).collect();
        Shares::parse(written).unwrap().fit(&got)
    }

    const V1: &str = "outbound|9080|v1|reviews.default.svc.cluster.local";
    const V2: &str = "outbound|9080|v2|reviews.default.svc.cluster.local";
    const ALL: &str = "outbound|80||a.test";

    #[test]
    fn shares_are_exact_and_destinations_as_short_as_wanted() {
        assert!(fit("reviews/v1", &[(V1, 100.0)]));
        assert!(fit("reviews.default:9080/v1", &[(V1, 100.0)]));
        assert!(fit(V1, &[(V1, 100.0), (V2, 0.0)]));
        assert!(fit("90% reviews/v1, 10 % reviews/v2", &[(V1, 90.0), (V2, 10.0)]));
        assert!(fit("33.3% reviews/v1, 66.7% reviews/v2", &[(V1, 100.0 / 3.0), (V2, 200.0 / 3.0)]));
        assert!(!fit("90% reviews/v1, 10% reviews/v2", &[(V1, 89.0), (V2, 11.0)]));
        assert!(!fit("reviews/v1", &[(V1, 90.0), (V2, 10.0)]));
        assert!(!fit("reviews", &[(V1, 100.0)]), "a subset is not the whole service");
        assert!(!fit("review/v1", &[(V1, 100.0)]));
        assert!(!fit("reviews:80/v1", &[(V1, 100.0)]));
        assert!(fit("a.test", &[(ALL, 100.0)]));
        assert!(fit("none", &[]) && !fit("none", &[(ALL, 100.0)]));
        assert_eq!(short(V1), "reviews/v1");
    }

    #[test]
    fn shares_that_cannot_be_are_refused() {
        for text in ["90% a, b", "a b", "x% a", "60% a, 60% b", "101% a"] {
            assert!(Shares::parse(text).is_err(), "{text}");
        }
    }
}
