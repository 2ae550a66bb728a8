//! Looking after the health of endpoints now and then, on the thread of the admin endpoints: ending ejections, comparing
//! success rates, noticing new endpoints.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pilotage_engine::{Env, Tables};

/// New clusters are noticed after this time at the latest.
const LONGEST: Duration = Duration::from_secs(1);
/// Nobody is looked after more often than this, whatever a cluster says.
const SHORTEST: Duration = Duration::from_millis(5);

/// Looks after the published tables until the runtime ends. Times count from `epoch`, as the workers' do.
pub(crate) async fn run(tables: Arc<ArcSwap<Tables>>, epoch: Instant) {
    loop {
        let wait = look_after(&tables.load_full(), epoch);
        tokio::time::sleep(wait).await;
    }
}

/// Looks after every cluster of `tables`; says how long nothing more is due.
pub(crate) fn look_after(tables: &Tables, epoch: Instant) -> Duration {
    let now = epoch.elapsed();
    let mut draw = || fastrand::u64(..);
    let mut env = Env { now, unix_time: Duration::ZERO, rng: &mut draw };
    let due = tables.clusters().filter_map(|cluster| cluster.look_after(&mut env)).min();
    let wait = due.map_or(LONGEST, |due| due.saturating_sub(now));
    wait.clamp(SHORTEST, LONGEST)
}
