//! When each name of the tables is asked for next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pilotage_engine::Tables;
use pilotage_engine::cluster::ClusterTable;
use pilotage_engine::dns::{DnsSettings, DnsTarget};

/// What a name is known by: the same name may be wanted by clusters that want different addresses of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) cluster: Arc<str>,
    pub(super) target: DnsTarget,
}

impl Key {
    pub(super) fn new(cluster: &ClusterTable, target: &DnsTarget) -> Self {
        Self { cluster: Arc::clone(&cluster.settings.name), target: target.clone() }
    }
}

/// The names of the tables.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    names: BTreeMap<Key, Name>,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    due: Instant,
    asked: bool,
    failures: u32,
}

impl Schedule {
    /// Takes over the names of `tables`; new ones are due at once.
    pub(super) fn follow(&mut self, tables: &Tables, now: Instant) {
        let mut known = std::mem::take(&mut self.names);
        for cluster in tables.clusters() {
            for target in cluster.dns_targets() {
                let key = Key::new(cluster, target);
                let new = Name { due: now, asked: false, failures: 0 };
                let name = known.remove(&key).unwrap_or(new);
                self.names.insert(key, name);
            }
            if !cluster.dns_targets().is_empty() {
                cluster.follow_names();
            }
        }
    }

    /// Whether `key` is wanted.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.names.contains_key(key)
    }

    /// The names to ask for now. They count as asked until [`Schedule::answered`] or [`Schedule::failed`].
    pub(super) fn due(&mut self, now: Instant) -> Vec<Key> {
        let due = self.names.iter_mut().filter(|(_, name)| !name.asked && name.due <= now);
        due.map(|(key, name)| {
            name.asked = true;
            key.clone()
        })
        .collect()
    }

    /// Makes the names of `cluster` due now.
    pub(super) fn hurry(&mut self, cluster: &ClusterTable, now: Instant) {
        let names = self.names.iter_mut().filter(|(key, _)| *key.cluster == *cluster.settings.name);
        for (_, name) in names {
            name.due = name.due.min(now);
        }
    }

    /// When the next name is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.names.values().filter(|name| !name.asked).map(|name| name.due).min()
    }

    /// Notes that `key` was resolved at `now`.
    pub(super) fn answered(
        &mut self,
        key: &Key,
        settings: &DnsSettings,
        time_to_live: Option<Duration>,
        now: Instant,
        draw: u64,
    ) {
        if let Some(name) = self.names.get_mut(key) {
            let due = now + settings.wait_after_answer(time_to_live, draw);
            *name = Name { due, asked: false, failures: 0 };
        }
    }

    /// Notes that `key` could not be resolved.
    pub(super) fn failed(&mut self, key: &Key, settings: &DnsSettings, now: Instant, draw: u64) {
        if let Some(name) = self.names.get_mut(key) {
            let failures = name.failures.saturating_add(1);
            let due = now + settings.wait_after_failure(failures, draw);
            *name = Name { due, asked: false, failures };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use pilotage_engine::dns::{DnsFamily, DnsSettings, FailureRefresh};
    use pilotage_engine::{LiveState, Tables};
    use pilotage_proto::ResourceSet;
    use pilotage_proto::json::from_value;
    use serde_json::json;

    use super::Schedule;

    fn tables(names: &[&str]) -> Arc<Tables> {
        let mut set = ResourceSet::default();
        for name in names {
            let address = json!({"socketAddress": {"address": name, "portValue": 80}});
            let cluster = json!({"name": name, "type": "STRICT_DNS", "loadAssignment":
                {"clusterName": name, "endpoints": [{"lbEndpoints": [{"endpoint": {"address": address}}]}]}});
            set.clusters.insert((*name).into(), Arc::new(from_value(&cluster).unwrap()));
        }
        Tables::apply(&Tables::default(), &set, &LiveState::default()).0
    }

    #[test]
    fn a_name_is_due_at_once_and_then_when_its_answer_ends() {
        let dns = DnsSettings {
            refresh: Duration::from_secs(60),
            respect_ttl: true,
            jitter: Duration::ZERO,
            after_failure: FailureRefresh::Fixed,
            family: DnsFamily::V4Only,
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::default();
        schedule.follow(&tables(&["a.example", "b.example"]), start);
        let due = schedule.due(start);
        let [a, b] = due.as_slice() else { panic!("two names") };
        assert!(schedule.due(start).is_empty() && schedule.next().is_none(), "both are asked for");
        schedule.answered(a, &dns, Some(Duration::from_secs(5)), start, 0);
        schedule.failed(b, &dns, start, 0);
        assert_eq!(schedule.next(), Some(after(5)));
        assert_eq!(schedule.due(after(5)), std::slice::from_ref(a));
        assert_eq!(schedule.due(after(60)), std::slice::from_ref(b));

        schedule.answered(a, &dns, None, after(60), 0);
        let changed = tables(&["a.example", "c.example"]);
        schedule.follow(&changed, after(61));
        assert!(schedule.has(a) && !schedule.has(b), "what is still wanted keeps its time");
        assert_eq!(schedule.due(after(61)).len(), 1, "what is new is due");
        schedule.hurry(changed.cluster("a.example").unwrap(), after(62));
        assert_eq!(schedule.due(after(62)), std::slice::from_ref(a));
    }
}
