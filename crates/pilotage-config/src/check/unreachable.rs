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
    let used = check(&rules.collect::<Vec<_>>(), checker);
    covered_prefixes(&used, checker);
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
}

/// A match block that no equal one stands before.
struct Used<'a, M> {
    block: &'a M,
    path: FieldPath,
    rule: String,
    title: String,
}

/// What Istio calls a rule or a block: its name, or else its number.
fn istio_name(name: &str, index: usize) -> String {
    if name.is_empty() { format!("#{index}") } else { format!("{name:?}") }
}

/// Walks the rules of one list in order, and returns the blocks that are no repetitions.
fn check<'a, M: Eq + Hash>(rules: &[Rule<'a, M>], checker: &mut Checker<'_>) -> Vec<Used<'a, M>> {
    let mut catch_all: Option<FieldPath> = None;
    let mut seen: HashMap<&M, (FieldPath, String)> = HashMap::new();
    let mut used = Vec::new();
    for rule in rules {
        let at = rule.path();
        let name = istio_name(rule.name, rule.index);
        if let Some(first) = &catch_all {
            let reason = if rule.blocks.is_empty() {
                "only the last rule can have no matches"
            } else {
                "route without matches defined before"
            };
            unused(rule, &name, "no request comes this far", reason, checker);
            checker.also_at(first, "has no `match`, and so takes every request");
            checker.help("put the rule without `match` last");
            continue;
        }
        if rule.blocks.is_empty() {
            catch_all = Some(at);
            continue;
        }
        let mut repeated = 0;
        for (index, (block, block_name)) in rule.blocks.iter().copied().enumerate() {
            let path = at.field("match").index(index);
            let title = istio_name(block_name, index);
            if let Some((first, first_rule)) = seen.get(block) {
                repeated += 1;
                ineffective(&path, checker);
                checker.also_at(first, "the same conditions");
                checker.istio(not_used(&name, &title, first_rule));
                continue;
            }
            seen.insert(block, (path.clone(), name.clone()));
            used.push(Used { block, path, rule: name.clone(), title });
        }
        if repeated == rule.blocks.len() {
            let reason = "all matches used by prior rules";
            unused(rule, &name, "all its matches stand further up", reason, checker);
        }
    }
    used
}

fn unused<M>(rule: &Rule<'_, M>, name: &str, label: &str, reason: &str, checker: &mut Checker<'_>) {
    let message = format!("rule {} can never be used", rule.title());
    checker.problem(codes::IST0130, &rule.path(), message, label);
    checker.istio(format!("VirtualService rule {name} not used ({reason})."));
}

fn ineffective(at: &FieldPath, checker: &mut Checker<'_>) {
    let message = format!("match `{at}` can never be used");
    checker.problem(codes::IST0131, at, message, "covered already");
}

fn not_used(rule: &str, block: &str, first: &str) -> String {
    format!(
        "VirtualService rule {rule} match {block} is not used (duplicate/overlapping match in rule {first})."
    )
}

/// Tells of blocks by uri prefix that earlier ones by a shorter prefix leave nothing to.
fn covered_prefixes(used: &[Used<'_, HttpMatchRequest>], checker: &mut Checker<'_>) {
    let by_prefix: Vec<(&str, &Used<'_, HttpMatchRequest>)> =
        used.iter().filter_map(|used| Some((prefix(used.block)?, used))).collect();
    for (index, (long, later)) in by_prefix.iter().enumerate() {
        let earlier = by_prefix.iter().take(index);
        let covering = earlier.filter(|(_, earlier)| covers(earlier.block, later.block));
        for (number, (short, earlier)) in covering.take(COVERING_MAX).enumerate() {
            if number == 0 {
                ineffective(&later.path, checker);
                checker.help("put the longer prefix first");
            }
            checker.also_at(&earlier.path, "takes all these requests");
            let block = format!("{} of prefix {long}", later.title);
            let first = format!("{} of prefix {short} on {}", earlier.title, earlier.rule);
            checker.istio(not_used(&later.rule, &block, &first));
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
