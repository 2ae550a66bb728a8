//! Rules and match blocks that can never be used, found as Istio's validation finds them.
//!
//! This is a comparison of texts, not a proof; `docs/differences.md` says what a proof adds.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::checker::Checker;
use crate::codes;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpMatchRequest, HttpRoute, StringMatch, TcpRoute, TlsRoute};

/// The most earlier blocks that are named for one that they cover. A list of thousands of nested prefixes would
/// otherwise be answered with the square of that.
const COVERING_MAX: usize = 8;

pub(super) fn check_http<'a>(rules: &'a [Arc<HttpRoute>], checker: &mut Checker<'_>) {
    let blocks = |rule: &'a Arc<HttpRoute>| rule.match_.iter().map(nameless).collect();
    let plain: Vec<Vec<Cow<'_, HttpMatchRequest>>> = rules.iter().map(blocks).collect();
    let rules = rules.iter().zip(&plain).enumerate().map(|(index, (rule, blocks))| {
        let names = rule.match_.iter().map(|block| block.name.as_str());
        let blocks = blocks.iter().map(|block| &**block).zip(names).collect();
        Rule { list: "http", index, name: &rule.name, blocks }
    });
    let rules: Vec<_> = rules.collect();
    covered_prefixes(&check(&rules, checker), checker);
}

fn nameless(block: &HttpMatchRequest) -> Cow<'_, HttpMatchRequest> {
    match block.name.is_empty() {
        true => Cow::Borrowed(block),
        false => Cow::Owned(HttpMatchRequest { name: String::new(), ..block.clone() }),
    }
}

pub(super) fn check_tls(rules: &[TlsRoute], checker: &mut Checker<'_>) {
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let blocks = rule.match_.iter().map(|block| (block, "")).collect();
        Rule { list: "tls", index, name: "", blocks }
    });
    check(&rules.collect::<Vec<_>>(), checker);
}

pub(super) fn check_tcp(rules: &[TcpRoute], checker: &mut Checker<'_>) {
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let blocks = rule.match_.iter().map(|block| (block, "")).collect();
        Rule { list: "tcp", index, name: "", blocks }
    });
    check(&rules.collect::<Vec<_>>(), checker);
}

/// A rule of any of the three lists.
struct Rule<'a, M> {
    list: &'static str,
    index: usize,
    name: &'a str,
    /// The match blocks, nameless, and their names.
    blocks: Vec<(&'a M, &'a str)>,
}

impl<M> Rule<'_, M> {
    fn path(&self) -> FieldPath {
        FieldPath::spec().field(self.list).index(self.index)
    }

    fn title(&self) -> String {
        let Self { list, index, name, .. } = self;
        if name.is_empty() { format!("{list}[{index}]") } else { format!("`{name}`") }
    }

    fn istio_name(&self) -> String {
        istio_name(self.name, self.index)
    }
}

/// A match block and the rule that it is of. What it is called is made up only when there is something to tell.
struct Block<'r, 'a, M> {
    rule: &'r Rule<'a, M>,
    index: usize,
    conditions: &'a M,
    name: &'a str,
}

impl<M> Block<'_, '_, M> {
    fn path(&self) -> FieldPath {
        self.rule.path().field("match").index(self.index)
    }

    fn istio_name(&self) -> String {
        istio_name(self.name, self.index)
    }
}

/// What Istio calls a rule or a block: its name, or else its number.
fn istio_name(name: &str, index: usize) -> String {
    if name.is_empty() { format!("#{index}") } else { format!("{name:?}") }
}

/// Walks the rules of one list in order, and returns the blocks that are no repetitions.
fn check<'r, 'a, M: Eq + Hash>(
    rules: &'r [Rule<'a, M>],
    checker: &mut Checker<'_>,
) -> Vec<Block<'r, 'a, M>> {
    let mut catch_all: Option<&Rule<'_, M>> = None;
    let mut seen: HashMap<&M, usize> = HashMap::new();
    let mut used: Vec<Block<'_, '_, M>> = Vec::new();
    for rule in rules {
        if let Some(first) = catch_all {
            let reason = if rule.blocks.is_empty() {
                "only the last rule can have no matches"
            } else {
                "route without matches defined before"
            };
            unused(rule, "no request comes this far", reason, checker);
            checker.also_at(&first.path(), "has no `match`, and so takes every request");
            checker.help("put the rule without `match` last");
            continue;
        }
        if rule.blocks.is_empty() {
            catch_all = Some(rule);
            continue;
        }
        let mut repeated = 0;
        for (index, (conditions, name)) in rule.blocks.iter().copied().enumerate() {
            let block = Block { rule, index, conditions, name };
            if let Some(first) = seen.get(conditions).and_then(|place| used.get(*place)) {
                repeated += 1;
                ineffective(&block.path(), checker);
                checker.also_at(&first.path(), "the same conditions");
                checker.istio(not_used(&block, &block.istio_name(), &first.rule.istio_name()));
                continue;
            }
            seen.insert(conditions, used.len());
            used.push(block);
        }
        if repeated == rule.blocks.len() {
            let reason = "all matches used by prior rules";
            unused(rule, "all its matches stand further up", reason, checker);
        }
    }
    used
}

fn unused<M>(rule: &Rule<'_, M>, label: &str, reason: &str, checker: &mut Checker<'_>) {
    let message = format!("rule {} can never be used", rule.title());
    checker.problem(codes::IST0130, &rule.path(), message, label);
    checker.istio(format!("VirtualService rule {} not used ({reason}).", rule.istio_name()));
}

fn ineffective(at: &FieldPath, checker: &mut Checker<'_>) {
    let message = format!("match `{at}` can never be used");
    checker.problem(codes::IST0131, at, message, "covered already");
}

fn not_used<M>(block: &Block<'_, '_, M>, title: &str, first: &str) -> String {
    let rule = block.rule.istio_name();
    format!(
        "VirtualService rule {rule} match {title} is not used (duplicate/overlapping match in rule {first})."
    )
}

/// Tells of blocks by uri prefix that earlier ones by a shorter prefix leave nothing to.
fn covered_prefixes(used: &[Block<'_, '_, HttpMatchRequest>], checker: &mut Checker<'_>) {
    let by_prefix: Vec<(&str, &Block<'_, '_, HttpMatchRequest>)> =
        used.iter().filter_map(|block| Some((prefix(block.conditions)?, block))).collect();
    for (index, (long, later)) in by_prefix.iter().enumerate() {
        let earlier = by_prefix.iter().take(index);
        let covering = earlier.filter(|(_, earlier)| covers(earlier.conditions, later.conditions));
        for (number, (short, earlier)) in covering.take(COVERING_MAX).enumerate() {
            if number == 0 {
                ineffective(&later.path(), checker);
                checker.help("put the longer prefix first");
            }
            checker.also_at(&earlier.path(), "takes all these requests");
            let title = format!("{} of prefix {long}", later.istio_name());
            let rule = earlier.rule.istio_name();
            let first = format!("{} of prefix {short} on {rule}", earlier.istio_name());
            checker.istio(not_used(later, &title, &first));
        }
    }
}

fn prefix(block: &HttpMatchRequest) -> Option<&str> {
    match &block.uri {
        Some(StringMatch::Prefix(prefix)) => Some(prefix),
        Some(StringMatch::Unset | StringMatch::Exact(_) | StringMatch::Regex(_)) | None => None,
    }
}

/// Whether an earlier match by uri prefix takes everything that `later`, also by prefix, would take.
fn covers(earlier: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    let (Some(short), Some(long)) = (prefix(earlier), prefix(later)) else { return false };
    let method = |block: &HttpMatchRequest| {
        block.method.clone().unwrap_or_else(|| StringMatch::Exact("GET".to_owned()))
    };
    !short.is_empty()
        && short != long
        && long.starts_with(short)
        && earlier.port == later.port
        && compatible(&method(earlier), &method(later))
        && optional(earlier.authority.as_ref(), later.authority.as_ref())
        && maps(&earlier.headers, &later.headers)
        && maps(&earlier.query_params, &later.query_params)
        && maps(&earlier.without_headers, &later.without_headers)
}

/// Istio compares the spelled-out values: equal, or the earlier one begins with the later one.
fn compatible(earlier: &StringMatch, later: &StringMatch) -> bool {
    let spelled = |value: &StringMatch| match value {
        StringMatch::Unset => String::new(),
        StringMatch::Exact(text) => format!("exact:\"{text}\""),
        StringMatch::Prefix(text) => format!("prefix:\"{text}\""),
        StringMatch::Regex(text) => format!("regex:\"{text}\""),
    };
    earlier == later || spelled(earlier).starts_with(&spelled(later))
}

fn optional(earlier: Option<&StringMatch>, later: Option<&StringMatch>) -> bool {
    match (earlier, later) {
        (None, None) => true,
        (Some(earlier), Some(later)) => compatible(earlier, later),
        _ => false,
    }
}

fn maps(
    earlier: &BTreeMap<String, Option<StringMatch>>,
    later: &BTreeMap<String, Option<StringMatch>>,
) -> bool {
    earlier.len() == later.len()
        && earlier
            .iter()
            .all(|(key, a)| later.get(key).is_some_and(|b| optional(a.as_ref(), b.as_ref())))
}
