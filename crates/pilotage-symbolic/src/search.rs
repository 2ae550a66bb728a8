//! Is anything left of a set of requests when others are taken away?
//!
//! A request outside of a region misses it in at least one part. So the question is one of choices, as for a solver of
//! propositional logic: regions that can be missed in one part only leave no choice and come first; then the parts of
//! a region are tried one after the other. What was found is a region again, free of all that was taken away.

use crate::budget::TooComplex;
use crate::condition::Dimension;
use crate::region::{Region, Space, Values};

/// A part of `region` that has nothing in common with any of `taken`; `None`: they take all of it.
pub(crate) fn left_over(
    space: &mut Space,
    region: &Region,
    taken: &[&Region],
) -> Result<Option<Region>, TooComplex> {
    let mut region = region.clone();
    let Some(mut open) = propagate(space, &mut region, taken)? else { return Ok(None) };
    // The fewest choices first.
    let Some(fewest) = (0..open.len()).min_by_key(|at| open.get(*at).map(|(_, ways)| ways.len()))
    else {
        return Ok(Some(region));
    };
    let (chosen, mut ways) = open.swap_remove(fewest);
    let rest: Vec<&Region> = open.iter().map(|(region, _)| *region).collect();
    ways.sort_by_key(|part| space.dimension(*part).map(preference));
    for part in ways {
        let values = chosen.get(part).unwrap_or_else(|| space.all(part));
        let own = space.values(&region, part);
        let mut missing = region.clone();
        missing.set(part, own.without(values, &mut space.algebra)?);
        if let Some(found) = left_over(space, &missing, &rest)? {
            return Ok(Some(found));
        }
        region.set(part, own.and(values, &mut space.algebra)?);
    }
    Ok(None)
}

/// Which part a request should be different in rather than others, so that it stays an ordinary one.
fn preference(dimension: &Dimension) -> u8 {
    match dimension {
        Dimension::Header(_) => 0,
        Dimension::Query(_) => 1,
        Dimension::Path => 2,
        Dimension::Authority => 3,
        Dimension::Method => 4,
        Dimension::Scheme => 5,
    }
}

/// Regions that can still be missed in several parts, with these parts.
type Open<'r> = Vec<(&'r Region, Vec<usize>)>;

/// Takes away from `region` what it must lose whatever is chosen. Gives the regions among `taken` that still leave a
/// choice, or `None` when nothing is left.
fn propagate<'r>(
    space: &mut Space,
    region: &mut Region,
    taken: &[&'r Region],
) -> Result<Option<Open<'r>>, TooComplex> {
    let mut open: Open<'r> = taken.iter().map(|region| (*region, Vec::new())).collect();
    loop {
        let mut changed = false;
        let mut still: Open<'r> = Vec::with_capacity(open.len());
        for (other, _) in open {
            space.algebra.budget.spend(1)?;
            let Some(ways) = ways_to_miss(space, region, other)? else { continue };
            match ways.as_slice() {
                [] => return Ok(None),
                [only] => {
                    let values = other.get(*only).unwrap_or_else(|| space.all(*only));
                    let own = space.values(region, *only);
                    region.set(*only, own.without(values, &mut space.algebra)?);
                    changed = true;
                }
                _ => still.push((other, ways)),
            }
        }
        open = still;
        if !changed {
            return Ok(Some(open));
        }
    }
}

/// The parts in which requests of `region` can be outside of `other`; `None`: all of them are.
fn ways_to_miss(
    space: &mut Space,
    region: &Region,
    other: &Region,
) -> Result<Option<Vec<usize>>, TooComplex> {
    let mut ways = Vec::new();
    for (part, values) in other.iter() {
        let own = space.values(region, part);
        let common = own.and(values, &mut space.algebra)?;
        if common == Values::NONE {
            return Ok(None);
        }
        if common != own {
            ways.push(part);
        }
    }
    Ok(Some(ways))
}
