//! Addresses of the hosts that requests themselves name: one worker's memory of what was found.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use pilotage_engine::dns::DnsSettings;

use super::Names;

/// More hosts than this are not remembered, as in Envoy and with Istio's settings: who asks for ever new names shall
/// not fill the memory.
const MOST: usize = 1024;
/// No answer is kept for less, however short it may be kept.
const SHORTEST: Duration = Duration::from_secs(5);
/// A name that could not be resolved is not asked for again before.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The hosts that one worker has asked for.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Names,
    known: RefCell<BTreeMap<Box<str>, Known>>,
}

#[derive(Debug)]
struct Known {
    /// Best first; empty when it could not be resolved.
    addresses: Vec<IpAddr>,
    until: Instant,
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostError {
    /// The name has no address, or nobody says.
    NotResolved,
    /// There are too many names already.
    TooMany,
}

impl Hosts {
    /// Remembers nothing yet, and asks `names`.
    pub(crate) fn new(names: Names) -> Self {
        Self { names, known: RefCell::default() }
    }

    /// The first address of `host`, as `settings` want it. While a name server does not answer, the last good answer
    /// stays.
    pub(crate) async fn address(
        &self,
        host: &str,
        settings: &DnsSettings,
    ) -> Result<IpAddr, HostError> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        if let Some(known) = self.remembered(host, Instant::now()) {
            return known.ok_or(HostError::NotResolved);
        }
        if !self.makes_room(host, Instant::now()) {
            return Err(HostError::TooMany);
        }
        let found = self.names.ask(host, settings.family).await;
        let now = Instant::now();
        let wait = found.as_ref().map(|found| match found.addresses.is_empty() {
            true => AFTER_FAILURE,
            false => settings.wait_after_answer(found.time_to_live, 0).max(SHORTEST),
        });
        let known = Known {
            addresses: found.map(|found| found.addresses).unwrap_or_default(),
            until: now + wait.unwrap_or(AFTER_FAILURE),
        };
        self.remember(host, known).ok_or(HostError::NotResolved)
    }

    /// What is known of `host`: outer `None` when it has to be asked for.
    #[expect(clippy::option_option, reason = "unknown and known not to exist are different")]
    fn remembered(&self, host: &str, now: Instant) -> Option<Option<IpAddr>> {
        let known = self.known.borrow();
        let known = known.get(host).filter(|known| now < known.until)?;
        Some(known.addresses.first().copied())
    }

    /// Whether one more name may be remembered.
    fn makes_room(&self, host: &str, now: Instant) -> bool {
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST {
            known.retain(|_, known| now < known.until);
        }
        known.len() < MOST || known.contains_key(host)
    }

    fn remember(&self, host: &str, mut new: Known) -> Option<IpAddr> {
        let mut known = self.known.borrow_mut();
        if new.addresses.is_empty()
            && let Some(before) = known.remove(host)
        {
            new.addresses = before.addresses;
        }
        let first = new.addresses.first().copied();
        known.insert(host.into(), new);
        first
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Hosts, Known, MOST};
    use crate::dns::Names;

    #[test]
    fn an_answer_is_good_for_its_time_and_outlives_failures() {
        let hosts = Hosts::new(Names::new().0);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let address = "192.0.2.1".parse().unwrap();
        let found = |until| Known { addresses: vec![address], until };
        let failed = |until| Known { addresses: Vec::new(), until };
        assert_eq!(hosts.remembered("a", start), None);
        assert_eq!(hosts.remember("a", found(after(5))), Some(address));
        assert_eq!(hosts.remembered("a", after(4)), Some(Some(address)));
        assert_eq!(hosts.remembered("a", after(5)), None, "it is asked for again");
        assert_eq!(hosts.remember("a", failed(after(6))), Some(address));
        assert_eq!(hosts.remember("b", failed(after(6))), None);
        assert_eq!(hosts.remembered("b", after(5)), Some(None), "and not with every request");
    }

    #[test]
    fn names_without_end_are_not_remembered() {
        let hosts = Hosts::new(Names::new().0);
        let start = Instant::now();
        let known = |until| Known { addresses: vec!["192.0.2.1".parse().unwrap()], until };
        for number in 0..MOST {
            let seconds = if number == 0 { 1 } else { 9 };
            hosts.remember(&number.to_string(), known(start + Duration::from_secs(seconds)));
        }
        assert!(!hosts.makes_room("new", start));
        assert!(hosts.makes_room("1", start), "it is there already");
        assert!(hosts.makes_room("new", start + Duration::from_secs(1)), "one has gone");
    }
}
