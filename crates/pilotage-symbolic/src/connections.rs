//! Connections, apart from the routes of HTTP requests: which filter chain takes them and what becomes of them.
//!
//! A connection is chosen a chain by where it goes to and by what its client says first. The conditions of both sides
//! divide what is possible into finitely many kinds that neither side tells apart; of each kind one connection is put to
//! both engines. So a chain that is split, renamed or put elsewhere is no change.

mod deed;
mod destinations;
mod hello;
mod kinds;
mod ranges;
mod sources;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use pilotage_engine::Tables;
use pilotage_engine::filter_chain::{ConnectionInfo, FilterChain};
use pilotage_engine::listener::{Direction, ListenAddress, ListenerTable};

use self::deed::Deed;
use self::destinations::{Destination, destinations};
use self::kinds::{Kind, Kinds};
use crate::budget::TooComplex;
use crate::outcome::{Change, ClusterChanges, Origin, cluster_changes, tidy};

/// Connections that change in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionChange {
    /// Which connections.
    pub condition: String,
    /// In what they change.
    pub changes: Vec<Change>,
    /// Where it was written before.
    pub was: Vec<Origin>,
    /// Where it is written now.
    pub becomes: Vec<Origin>,
    /// One of them, put to both engines.
    pub witness: Connection,
}

/// A connection, as its client opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where the client wants to go.
    pub destination: SocketAddr,
    /// Where it comes from, if that makes a difference.
    pub source: Option<SocketAddr>,
    /// Whether it begins with a TLS client hello.
    pub tls: bool,
    /// The server name in that.
    pub server_name: Option<String>,
    /// The protocols that are offered in TLS, or what is spoken in the clear, as far as it can be told.
    pub protocols: Vec<String>,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, source, tls, server_name, protocols } = self;
        write!(f, "{} to {destination}", if *tls { "TLS" } else { "TCP" })?;
        if let Some(source) = source {
            write!(f, " from {source}")?;
        }
        if let Some(name) = server_name {
            write!(f, " for {name}")?;
        }
        if !protocols.is_empty() {
            write!(f, ", {}", protocols.join(" or "))?;
        }
        Ok(())
    }
}

/// What was found out about connections.
#[derive(Debug, Default)]
pub(crate) struct ConnectionChanges {
    pub(crate) changes: Vec<ConnectionChange>,
    /// Places that are too complex to decide, in words.
    pub(crate) undecided: Vec<String>,
}

/// Connections for which something else happens. Requests are compared by their routes; so HTTP is told of here only
/// where the connection manager itself does something else.
pub(crate) fn connection_changes(
    tables: [&Tables; 2],
    policies: &ClusterChanges,
) -> ConnectionChanges {
    let mut comparing = Comparing::new(tables, policies);
    for (address, entry) in entries(tables) {
        comparing.entry(&address, entry);
    }
    comparing.found.changes = merged(comparing.found.changes);
    comparing.found
}

/// What changes for one connection that arrives at `listener`, as both engines decide it. `None`: nothing listens there.
#[must_use]
pub fn judge_connection(
    old: &Tables,
    new: &Tables,
    listener: SocketAddr,
    connection: &Connection,
) -> Option<Vec<Change>> {
    let tables = [old, new];
    let policies = cluster_changes(old, new);
    let mut comparing = Comparing::new(tables, &policies);
    let entry = entries(tables).remove(&ListenAddress::Socket(listener))?;
    let listeners = comparing.redirected(entry, connection.destination);
    let deeds = comparing.deeds(listeners, connection);
    Some(comparing.changes(&deeds))
}

/// The listener of each side that takes connections from the network at one address.
type Entry<'t> = [Option<&'t Arc<ListenerTable>>; 2];

fn entries(tables: [&Tables; 2]) -> BTreeMap<ListenAddress, Entry<'_>> {
    let mut all: BTreeMap<ListenAddress, Entry<'_>> = BTreeMap::new();
    for (side, tables) in tables.into_iter().enumerate() {
        for listener in tables.listeners().filter(|listener| listener.bind_to_port) {
            for address in std::iter::once(&listener.address).chain(&listener.additional_addresses)
            {
                let entry = all.entry(address.clone()).or_default();
                if let Some(free @ None) = entry.get_mut(side) {
                    *free = Some(listener);
                }
            }
        }
    }
    all
}

struct Comparing<'t> {
    tables: [&'t Tables; 2],
    policies: &'t ClusterChanges,
    /// What chains do, by chain, on both sides.
    deeds: [HashMap<*const FilterChain, Rc<Deed>>; 2],
    found: ConnectionChanges,
}

/// What becomes of some kinds of connections, before and after.
struct Group {
    deeds: [Rc<Deed>; 2],
    kinds: Vec<Kind>,
}

impl<'t> Comparing<'t> {
    fn new(tables: [&'t Tables; 2], policies: &'t ClusterChanges) -> Self {
        let found = ConnectionChanges::default();
        Self { tables, policies, deeds: [HashMap::new(), HashMap::new()], found }
    }

    fn entry(&mut self, address: &ListenAddress, entry: Entry<'t>) {
        let ListenAddress::Socket(address) = address else {
            let same = self.are_equal(entry);
            self.found.undecided.extend((!same).then(|| format!("connections to {address:?}")));
            return;
        };
        for destination in destinations(self.tables, *address, entry) {
            let listeners = self.redirected(entry, destination.example());
            if self.policies.is_empty() && self.are_equal(listeners) {
                continue;
            }
            let inbound = entry.iter().flatten().any(|one| one.direction == Direction::Inbound);
            let proxied = entry.iter().flatten().any(|one| one.inspection.proxy_protocol);
            let how = (inbound, proxied);
            if let Err(TooComplex) = self.destination(&destination, listeners, how) {
                self.found.undecided.push(told::place(&destination, inbound));
            }
        }
    }

    /// The listeners that take connections to `destination` which arrive at `entry`.
    fn redirected(&self, entry: Entry<'t>, destination: SocketAddr) -> Entry<'t> {
        let [old, new] = self.tables;
        let [before, after] = entry;
        let to = |listener: Option<&'t Arc<ListenerTable>>, tables: &'t Tables| {
            listener.map(|listener| listener.redirected(tables, destination))
        };
        [to(before, old), to(after, new)]
    }

    /// Whether both listeners are the same to the letter.
    fn are_equal(&self, listeners: Entry<'_>) -> bool {
        let [old, new] = self.tables.map(|tables| &tables.accepted().listeners);
        match listeners {
            [None, None] => true,
            [Some(a), Some(b)] => Arc::ptr_eq(a, b) || old.get(&*a.name) == new.get(&*b.name),
            _ => false,
        }
    }

    fn destination(
        &mut self,
        destination: &Destination,
        listeners: Entry<'_>,
        (inbound, proxied): (bool, bool),
    ) -> Result<(), TooComplex> {
        let kinds = Kinds::of(destination, self.chain_matches(listeners), proxied)?;
        let mut groups: Vec<Group> = Vec::new();
        for kind in kinds.all() {
            let Some(example) = kinds.example(kind) else { continue };
            let deeds = self.deeds(listeners, &example);
            let alike = |group: &&mut Group| {
                group.deeds.iter().zip(&deeds).all(|(known, one)| Rc::ptr_eq(known, one))
            };
            match groups.iter_mut().find(alike) {
                Some(group) => group.kinds.push(kind),
                None => groups.push(Group { deeds, kinds: vec![kind] }),
            }
        }
        for Group { deeds, kinds: found } in groups {
            let changes = self.changes(&deeds);
            let first = found.first().filter(|_| !changes.is_empty());
            let Some(witness) = first.and_then(|kind| kinds.example(*kind)) else { continue };
            let [was, becomes] = deeds.map(|deed| deed.origin.iter().cloned().collect());
            self.found.changes.push(ConnectionChange {
                condition: told::condition(destination, inbound, &kinds, &found),
                changes,
                was,
                becomes,
                witness,
            });
        }
        Ok(())
    }

    /// What is different. A port that is new or gone is seen where its routes are compared.
    fn changes(&self, deeds: &[Rc<Deed>; 2]) -> Vec<Change> {
        let [old, new] = deeds;
        match deeds.iter().any(|deed| self.is_compared_by_requests(deed)) {
            true => Vec::new(),
            false => old.changes(new, self.policies),
        }
    }

    /// Whether `deed` speaks HTTP with routes that one side only has.
    fn is_compared_by_requests(&self, deed: &Deed) -> bool {
        let Some(name) = &deed.routes else { return false };
        !self.tables.iter().all(|tables| tables.route_table(name).is_some())
    }

    /// The conditions of all chains of both listeners.
    fn chain_matches(&self, listeners: Entry<'_>) -> Vec<&'t kinds::ChainMatch> {
        let found = self
            .tables
            .into_iter()
            .zip(listeners)
            .filter_map(|(tables, listener)| tables.accepted().listeners.get(&*listener?.name));
        found
            .flat_map(|proto| &proto.filter_chains)
            .filter_map(|chain| chain.filter_chain_match.as_ref())
            .collect()
    }

    /// What becomes of `connection` on both sides.
    fn deeds(&mut self, listeners: Entry<'_>, connection: &Connection) -> [Rc<Deed>; 2] {
        let [before, after] = listeners;
        [self.deed(0, before, connection), self.deed(1, after, connection)]
    }

    /// What becomes of `connection` on one side, as the engine decides, which knows as much as the listener looks for.
    fn deed(
        &mut self,
        side: usize,
        listener: Option<&Arc<ListenerTable>>,
        connection: &Connection,
    ) -> Rc<Deed> {
        let Some(listener) = listener else { return self.closed(side) };
        let port = connection.destination.port();
        let tls = listener.inspection.tls.as_ref().is_some_and(|scope| scope.applies_to(port));
        let http = listener.inspection.http.as_ref().is_some_and(|scope| scope.applies_to(port));
        let sees_protocols = if connection.tls { tls } else { http };
        let protocols: Vec<&str> = connection.protocols.iter().map(String::as_str).collect();
        let client = connection.source;
        let client = client.unwrap_or_else(|| destinations::client(connection.destination));
        let info = ConnectionInfo {
            destination: connection.destination,
            source: client,
            direct_source: client,
            server_name: connection.server_name.as_deref().filter(|_| tls),
            tls: connection.tls && tls,
            application_protocols: if sees_protocols { &protocols } else { &[] },
        };
        let Some(chain) = listener.chain(&info) else { return self.closed(side) };
        let key = Arc::as_ptr(chain);
        let known = self.deeds.get(side).and_then(|deeds| deeds.get(&key));
        if let Some(known) = known {
            return Rc::clone(known);
        }
        let proto = self.tables.get(side).and_then(|t| t.accepted().listeners.get(&*listener.name));
        let place = listener.chains().position(|other| Arc::ptr_eq(other, chain));
        let made = proto.zip(place).and_then(|(proto, place)| {
            let chain = proto.filter_chains.iter().chain(&proto.default_filter_chain).nth(place)?;
            Some(Deed::of(listener, proto, chain))
        });
        self.keep(side, key, made.unwrap_or_else(Deed::closed))
    }

    fn closed(&mut self, side: usize) -> Rc<Deed> {
        let known = self.deeds.get(side).and_then(|deeds| deeds.get(&std::ptr::null()));
        match known {
            Some(known) => Rc::clone(known),
            None => self.keep(side, std::ptr::null(), Deed::closed()),
        }
    }

    fn keep(&mut self, side: usize, key: *const FilterChain, deed: Deed) -> Rc<Deed> {
        let deed = Rc::new(deed);
        if let Some(deeds) = self.deeds.get_mut(side) {
            deeds.insert(key, Rc::clone(&deed));
        }
        deed
    }
}

/// Those that differ in nothing but where they go to, together.
fn merged(all: Vec<ConnectionChange>) -> Vec<ConnectionChange> {
    let mut merged: Vec<(ConnectionChange, BTreeSet<String>)> = Vec::new();
    let mut places = BTreeMap::new();
    for change in all {
        let place = *places.entry(change.changes.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            Some((known, conditions)) => {
                if conditions.insert(change.condition.clone()) {
                    known.condition.push_str(&format!("; {}", change.condition));
                }
                known.was.extend(change.was);
                known.becomes.extend(change.becomes);
            }
            None => {
                let conditions = BTreeSet::from([change.condition.clone()]);
                merged.push((change, conditions));
            }
        }
    }
    let mut merged: Vec<ConnectionChange> = merged.into_iter().map(|(change, _)| change).collect();
    for change in &mut merged {
        for origins in [&mut change.was, &mut change.becomes] {
            tidy(origins);
        }
    }
    merged
}
