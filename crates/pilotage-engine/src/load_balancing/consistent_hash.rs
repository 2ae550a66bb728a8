//! RING_HASH and MAGLEV: the same hash leads to the same endpoint, and a change of endpoints moves few hashes.

use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

use crate::endpoint::Endpoint;

/// How hashes are spread over endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// Each endpoint stands at many places of a ring.
    Ring {
        /// Fewest places.
        min_size: u64,
        /// Most places.
        max_size: u64,
        /// Endpoints are known by host name rather than address.
        by_hostname: bool,
    },
    /// Endpoints take turns in filling a table, each by a permutation of its own.
    Maglev {
        /// Size of the table, a prime.
        table_size: u32,
        /// Endpoints are known by host name rather than address.
        by_hostname: bool,
    },
}

/// A prepared spread.
#[derive(Debug)]
pub(crate) enum HashTable {
    /// Places by hash, with the number of the endpoint that stands there.
    Ring(Vec<(u64, u32)>),
    /// Number of the endpoint at each place.
    Maglev(Vec<u32>),
}

impl HashTable {
    /// `shares` belong to `endpoints` one by one, and are above zero. They sum to 1, or to less when there are
    /// localities without anybody in them.
    pub(crate) fn build(hashing: Hashing, endpoints: &[Arc<Endpoint>], shares: &[f64]) -> Self {
        match hashing {
            Hashing::Ring { min_size, max_size, by_hostname } => {
                Self::ring((min_size, max_size), &keys(endpoints, by_hostname), shares)
            }
            Hashing::Maglev { table_size, by_hostname } => {
                Self::maglev(table_size, &keys(endpoints, by_hostname), shares)
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    fn ring((min_size, max_size): (u64, u64), keys: &[String], shares: &[f64]) -> Self {
        // So large that the smallest share is a whole number of places.
        let smallest = shares.iter().copied().fold(1.0, f64::min);
        let size = ((smallest * min_size as f64).ceil() / smallest).min(max_size as f64);
        let mut ring = Vec::new();
        let (mut have, mut want) = (0.0, 0.0);
        for (index, (key, share)) in keys.iter().zip(shares).enumerate() {
            want += size * share;
            let mut place = 0_u64;
            while have < want {
                let hash = xxh64(format!("{key}_{place}").as_bytes(), 0);
                ring.push((hash, u32::try_from(index).unwrap_or(0)));
                place += 1;
                have += 1.0;
            }
        }
        ring.sort_unstable();
        Self::Ring(ring)
    }

    fn maglev(table_size: u32, keys: &[String], shares: &[f64]) -> Self {
        let size = u64::from(table_size);
        let largest = shares.iter().copied().fold(0.0, f64::max);
        let mut builders: Vec<_> = keys
            .iter()
            .zip(shares)
            .map(|(key, share)| Permutation {
                place: xxh64(key.as_bytes(), 0) % size,
                skip: xxh64(key.as_bytes(), 1) % (size - 1) + 1,
                share: *share,
                target: 0.0,
            })
            .collect();
        let mut table = vec![u32::MAX; usize::try_from(table_size).unwrap_or(0)];
        let mut free = table.len();
        let mut round = 1.0;
        while free > 0 {
            for (index, builder) in builders.iter_mut().enumerate() {
                // Who has the largest share is in every round, the others in fewer.
                if round * builder.share < builder.target {
                    continue;
                }
                builder.target += largest;
                let Some(place) = builder.next_free(&mut table, size) else { continue };
                *place = u32::try_from(index).unwrap_or(0);
                free -= 1;
                if free == 0 {
                    break;
                }
            }
            round += 1.0;
        }
        Self::Maglev(table)
    }

    /// Number of the endpoint for `hash`.
    pub(crate) fn find(&self, hash: u64) -> Option<usize> {
        let index = match self {
            Self::Ring(ring) => {
                let place = ring.partition_point(|(at, _)| *at < hash);
                // After the last place comes the first.
                ring.get(place).or_else(|| ring.first()).map(|(_, index)| *index)?
            }
            Self::Maglev(table) => {
                let size = u64::try_from(table.len()).ok()?;
                *table.get(usize::try_from(hash.checked_rem(size)?).ok()?)?
            }
        };
        usize::try_from(index).ok()
    }
}

/// The order in which one endpoint asks for places of a Maglev table.
struct Permutation {
    place: u64,
    skip: u64,
    share: f64,
    target: f64,
}

impl Permutation {
    /// The next place that nobody has.
    fn next_free<'t>(&mut self, table: &'t mut [u32], size: u64) -> Option<&'t mut u32> {
        for _ in 0..size {
            let place = usize::try_from(self.place).ok()?;
            self.place = (self.place + self.skip) % size;
            if table.get(place) == Some(&u32::MAX) {
                return table.get_mut(place);
            }
        }
        None
    }
}

fn keys(endpoints: &[Arc<Endpoint>], by_hostname: bool) -> Vec<String> {
    let key = |endpoint: &Arc<Endpoint>| {
        if by_hostname && !endpoint.hostname.is_empty() {
            endpoint.hostname.to_string()
        } else {
            endpoint.address.to_string()
        }
    };
    endpoints.iter().map(key).collect()
}
