//! Names of DNS clusters: resolved in the background, again and again, on the thread of the admin endpoints.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pilotage_engine::Tables;
use pilotage_engine::cluster::{ClusterTable, DnsFamily, DnsTarget};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Names are not asked for more often than this, whatever a cluster says.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long nothing is done when no name is wanted. New tables end the wait.
const LONGEST: Duration = Duration::from_secs(60);

/// What a name is known by: the same name may be wanted by clusters that want different addresses of it.
type Key = (Arc<str>, u16, Arc<str>);

/// Resolves what the published tables want until the runtime ends. `published` is notified of new tables.
pub(crate) async fn run(tables: Arc<ArcSwap<Tables>>, published: Arc<Notify>) {
    let mut due: HashMap<Key, Instant> = HashMap::new();
    loop {
        // Armed before the tables are read, so that a publication in between is not missed.
        let notified = published.notified();
        let next = round(&tables.load_full(), &mut due).await;
        let wait = next.map_or(LONGEST, |next| next.saturating_duration_since(Instant::now()));
        tokio::time::timeout(wait.min(LONGEST), notified).await.ok();
    }
}

/// Resolves what is due; says when the next name is.
async fn round(tables: &Arc<Tables>, due: &mut HashMap<Key, Instant>) -> Option<Instant> {
    let now = Instant::now();
    let mut wanted = HashMap::new();
    let mut lookups = JoinSet::new();
    for cluster in tables.clusters() {
        for target in cluster.dns_targets() {
            let key = (Arc::clone(&target.host), target.port, Arc::clone(&cluster.settings.name));
            let mut next = due.get(&key).copied().unwrap_or(now);
            if next <= now {
                let (cluster, target) = (Arc::clone(cluster), target.clone());
                next = now + cluster.settings.dns.refresh.max(SHORTEST);
                lookups.spawn(async move { resolve(&cluster, &target).await });
            }
            wanted.insert(key, next);
        }
    }
    *due = wanted;
    while lookups.join_next().await.is_some() {}
    due.values().min().copied()
}

/// Asks for every name of `cluster` at once.
pub(crate) async fn resolve_all(cluster: &ClusterTable) {
    for target in cluster.dns_targets() {
        resolve(cluster, target).await;
    }
}

/// Asks for `target` and tells `cluster`. A name that cannot be resolved now keeps its addresses.
async fn resolve(cluster: &ClusterTable, target: &DnsTarget) {
    match look_up(&target.host, target.port, cluster.settings.dns.family).await {
        Ok(addresses) => cluster.resolved(target, &addresses),
        Err(error) => {
            let (cluster, host) = (cluster.name(), &*target.host);
            tracing::debug!(cluster, host, %error, "a name is not resolved");
        }
    }
}

async fn look_up(host: &str, port: u16, family: DnsFamily) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host, port)).await?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(of_family(addresses, family))
}

fn of_family(addresses: Vec<IpAddr>, family: DnsFamily) -> Vec<IpAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    match family {
        DnsFamily::V4Only => v4,
        DnsFamily::V6Only => v6,
        DnsFamily::V4Preferred if v4.is_empty() => v6,
        DnsFamily::V4Preferred => v4,
        DnsFamily::V6Preferred if v6.is_empty() => v4,
        DnsFamily::V6Preferred => v6,
        DnsFamily::All => [v4, v6].concat(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use pilotage_engine::cluster::DnsFamily;

    use super::of_family;

    #[test]
    fn a_family_is_preferred_or_demanded() {
        let four: IpAddr = "10.0.0.1".parse().unwrap();
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        let of = |family| of_family(vec![four, six], family);
        assert_eq!(of(DnsFamily::V4Only), [four]);
        assert_eq!(of(DnsFamily::V6Preferred), [six]);
        assert_eq!(of(DnsFamily::All), [four, six]);
        assert_eq!(of_family(vec![four], DnsFamily::V6Preferred), [four]);
        assert!(of_family(vec![four], DnsFamily::V6Only).is_empty());
    }
}
