//! Weighted turns spread evenly over time.

/// Longest sequence that is prepared. Weights whose smallest common scale needs more are rounded.
const MAX_TURNS: u64 = 4096;

/// The order in which items with `weights` take turns: each appears as often as its weight says (after scaling), as
/// evenly spread as possible. Items of weight 0 never appear. Empty when all are 0.
pub(crate) fn smooth(weights: &[u64]) -> Vec<u32> {
    let weights = scaled(weights);
    let total: u64 = weights.iter().sum();
    let mut credit: Vec<i64> = vec![0; weights.len()];
    let mut turns = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    for _ in 0..total {
        let mut best: Option<(usize, i64)> = None;
        for (index, (have, weight)) in credit.iter_mut().zip(&weights).enumerate() {
            *have += i64::try_from(*weight).unwrap_or(0);
            if *weight > 0 && best.is_none_or(|(_, most)| *have > most) {
                best = Some((index, *have));
            }
        }
        let Some((index, _)) = best else { break };
        if let Some(have) = credit.get_mut(index) {
            *have -= i64::try_from(total).unwrap_or(0);
        }
        turns.push(u32::try_from(index).unwrap_or(0));
    }
    turns
}

/// `weights` divided by their greatest common divisor, then scaled down if the sum is still too large. A weight above
/// 0 stays above 0.
fn scaled(weights: &[u64]) -> Vec<u64> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let total = weights.iter().fold(0_u64, |sum, w| sum.saturating_add(w / divisor));
    // Room for the items that rounding keeps at 1.
    let shrink = |weight: u64| {
        if total <= MAX_TURNS {
            return weight;
        }
        let wide = u128::from(weight) * u128::from(MAX_TURNS) / u128::from(total);
        u64::try_from(wide).unwrap_or(MAX_TURNS).max(u64::from(weight > 0))
    };
    weights.iter().map(|w| shrink(w / divisor)).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::smooth;

    #[test]
    fn turns_follow_weights_and_are_spread() {
        assert_eq!(smooth(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(smooth(&[100, 0, 100]), [0, 2]);
        assert!(smooth(&[0, 0]).is_empty());
        assert!(smooth(&[]).is_empty());
    }

    #[test]
    fn huge_weights_are_rounded_but_nobody_is_lost() {
        let turns = smooth(&[u64::from(u32::MAX), 1, 7]);
        assert!(turns.len() <= 4100);
        assert_eq!(turns.iter().filter(|t| **t == 1).count(), 1);
    }
}
