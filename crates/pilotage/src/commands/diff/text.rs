//! The answer for people.

use std::collections::{BTreeMap, BTreeSet};

use pilotage_symbolic::{Change, Facet, Formula, Host, KindOfChange, MoreKinds, RequestChange};

use super::places::Line;
use super::{Answer, places};

/// Where a line's place begins.
const PLACE_COLUMN: usize = 64;
/// Hosts that are named in a line.
const MOST_HOSTS: usize = 4;
/// Alternatives that are told.
const MOST_ALTERNATIVES: usize = 4;

/// A change with the proxies that see it.
pub(super) struct Seen<'a> {
    pub(super) views: Vec<&'a str>,
    pub(super) change: &'a RequestChange,
}

/// All changes, those that several proxies see alike once.
pub(super) fn seen<'a>(answer: &'a Answer<'_>) -> Vec<Seen<'a>> {
    let mut all: Vec<Seen<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for view in &answer.views {
        for change in &view.difference.requests {
            let key = (&change.changes, &change.alternatives, titles(change));
            let place = *places.entry(key).or_insert(all.len());
            match all.get_mut(place) {
                Some(known) => known.views.push(&view.name),
                None => all.push(Seen { views: vec![&view.name], change }),
            }
        }
    }
    all
}

/// Kinds of changes that are not told one by one: they are many.
pub(super) fn untold(answer: &Answer<'_>, changes: &[Seen<'_>]) -> MoreKinds {
    let told: BTreeSet<KindOfChange> =
        changes.iter().take(answer.most).map(|seen| KindOfChange::of(seen.change)).collect();
    let mut untold = MoreKinds::new();
    for seen in changes.iter().skip(answer.most) {
        let facets = seen.change.changes.iter().map(|one| one.facet);
        untold.insert(KindOfChange::of(seen.change), facets.collect());
    }
    for view in &answer.views {
        untold.extend(view.difference.more_requests.clone());
    }
    untold.retain(|kind, _| !told.contains(kind));
    untold
}

/// What changes in `kinds`, with the number of those in which it does.
pub(super) fn facets(kinds: &MoreKinds) -> Vec<(&'static str, usize)> {
    let mut counts: BTreeMap<Facet, usize> = BTreeMap::new();
    for facet in kinds.values().flatten() {
        *counts.entry(*facet).or_default() += 1;
    }
    counts.into_iter().map(|(facet, count)| (facet.name(), count)).collect()
}

/// The kinds that are not told one by one, in a line; nothing, if there are none.
pub(super) fn more(untold: &MoreKinds) -> Option<String> {
    let counts: Vec<String> =
        facets(untold).iter().map(|(facet, count)| format!("{facet} in {count}")).collect();
    let kinds = match untold.len() {
        0 => return None,
        1 => "1 more kind".to_owned(),
        many => format!("{many} more kinds"),
    };
    Some(format!("… and {kinds}: {} (--all tells them all)", counts.join(", ")))
}

fn titles(change: &RequestChange) -> Vec<String> {
    change.hosts.iter().map(host).collect()
}

/// The whole answer.
pub(super) fn report(answer: &Answer<'_>) -> String {
    let changes = seen(answer);
    let untold = untold(answer, &changes);
    let changes = changes.get(..answer.most).unwrap_or(&changes);
    let mut text = headline(answer, changes.len() + untold.len());
    text.push('\n');
    for line in provisos(answer) {
        text.push_str(&format!("{line}\n"));
    }
    if !changes.is_empty() {
        text.push('\n');
    }
    for (index, seen) in changes.iter().enumerate() {
        text.push_str(&one(answer, index + 1, seen));
    }
    text.extend(more(&untold).map(|line| format!("{line}\n")));
    for view in &answer.views {
        for change in &view.difference.connections {
            text.push_str(&format!("\nconnections, {}: {}\n", view.name, change.condition));
            for one in &change.changes {
                text.push_str(&lines(answer, one, &change.was, &change.becomes));
            }
            text.push_str(&format!("     witness  {}\n", change.witness));
        }
    }
    for view in &answer.views {
        for place in &view.difference.undecided_connections {
            text.push_str(&format!("\n{place}: too complex to decide ({})\n", view.name));
        }
        for one in &view.difference.unfinished {
            let (host, view) = (host(one), &view.name);
            text.push_str(&format!(
                "\nhost {host}: so many kinds of requests change that not all were looked at; --all looks further ({view})\n"
            ));
        }
        for undecided in &view.difference.undecided {
            text.push_str(&format!(
                "\nhost {}: too complex to decide: sampled {} requests ({})\n",
                host(&undecided.host),
                undecided.samples,
                view.name
            ));
        }
        for mistake in &view.difference.mistakes {
            text.push_str(&format!(
                "\nmistake in pilotage, please report it: {}: {}\n",
                mistake.request, mistake.what
            ));
        }
    }
    text
}

/// What is proved, and for whom.
pub(super) fn headline(answer: &Answer<'_>, changes: usize) -> String {
    let connections: usize = answer.found().map(|found| found.connections.len()).sum();
    let unfinished = answer.found().any(|found| !found.unfinished.is_empty());
    let at_least = if unfinished { "at least " } else { "" };
    let partial = !answer.reservations().is_empty();
    let others = match (partial, answer.is_proved()) {
        (true, _) => "this holds for a part of the files only, see below.",
        (false, true) => "every other request is proved unchanged.",
        (false, false) => "not everything could be decided, see below.",
    };
    let what = match (changes, connections) {
        (0, 0) if answer.is_proved() => "no request changes: proved".to_owned(),
        (0, 0) if partial => format!("no change found, but {others}"),
        (0, 0) => "no change found, but not everything could be decided, see below".to_owned(),
        (0, _) => format!("no request takes another route, but connections change; {others}"),
        (1, _) => format!("{at_least}1 kind of request changes; {others}"),
        (many, _) => format!("{at_least}{many} kinds of request change; {others}"),
    };
    let hosts: usize = answer.found().map(|found| found.hosts).sum();
    let views: Vec<&str> = answer.views.iter().map(|view| &*view.name).collect();
    let hosts = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
    format!("{what}\n{hosts} compared, seen from: {}", views.join(", "))
}

/// What the answer leaves out and takes for granted, a line each.
pub(super) fn provisos(answer: &Answer<'_>) -> Vec<String> {
    let assumed = answer.assumptions().into_iter().map(|line| format!("assumed: {line}"));
    answer.reservations().into_iter().chain(assumed).collect()
}

fn one(answer: &Answer<'_>, number: usize, seen: &Seen<'_>) -> String {
    let change = seen.change;
    let mut text = format!("{number}  {}\n", title(change));
    for more in change.alternatives.iter().skip(1).take(MOST_ALTERNATIVES - 1) {
        text.push_str(&format!("     or {more}\n"));
    }
    if let Some(more) = change.alternatives.len().checked_sub(MOST_ALTERNATIVES + 1) {
        text.push_str(&format!("     or {} more conditions\n", more + 1));
    }
    for one in &change.changes {
        text.push_str(&lines(answer, one, &change.was, &change.becomes));
    }
    text.push_str(&format!("     witness  {}\n", change.witness));
    if seen.views.len() < answer.views.len() {
        text.push_str(&format!("     seen by  {}\n", seen.views.join(", ")));
    }
    text
}

/// Hosts and first condition.
pub(super) fn title(change: &RequestChange) -> String {
    let mut text = hosts(&change.hosts);
    let condition = change.alternatives.first().map(Formula::to_string).unwrap_or_default();
    if change.sampled {
        text.push_str(", found by trying requests");
    } else if !condition.is_empty() {
        text.push_str(&format!(", {condition}"));
    }
    text
}

fn hosts(hosts: &[Host]) -> String {
    let names: Vec<String> = hosts.iter().take(MOST_HOSTS).map(host).collect();
    let mut text = match hosts {
        [only] if only.name.starts_with("any ") => names.join(""),
        [_] => format!("host {}", names.join("")),
        _ => format!("hosts {}", names.join(", ")),
    };
    if let Some(more) = hosts.len().checked_sub(MOST_HOSTS).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

pub(super) fn host(host: &Host) -> String {
    let mut text = host.name.clone();
    if let Some(port) = host.port {
        match text.starts_with("any ") {
            true => text.push_str(&format!(" at port {port}")),
            false if text.ends_with(&format!(":{port}")) => {}
            false => text.push_str(&format!(":{port}")),
        }
    }
    if host.inbound {
        text.push_str(", inbound");
    }
    text
}

fn lines(
    answer: &Answer<'_>,
    change: &Change,
    was: &[pilotage_symbolic::Origin],
    becomes: &[pilotage_symbolic::Origin],
) -> String {
    let old = places::lines(answer.old, false, change, was);
    let new = places::lines(answer.new, true, change, becomes);
    format!(
        "{}{}",
        line(&format!("     was      {}", change.was), &old),
        line(&format!("     becomes  {}", change.becomes), &new)
    )
}

/// `text`, and behind it where that is written.
fn line(text: &str, places: &[Line<'_>]) -> String {
    let place = match places {
        [] => return format!("{text}\n"),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    let gap = PLACE_COLUMN.saturating_sub(text.chars().count()).max(2);
    format!("{text}{}{place}\n", " ".repeat(gap))
}
