//! The changes that are tried on a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::virtual_service::{
    Destination, HeaderOperations, Headers, HttpMatchRequest, HttpRoute, Percent, StringMatch,
};
use pilotage_config::{Double, Duration, FieldPath, Kind, Object};

use crate::words::duration as shown;

/// A change to a rule.
pub(super) struct Edit {
    /// The field that changes.
    pub(super) path: FieldPath,
    /// The change in words.
    pub(super) words: String,
    /// The change itself.
    pub(super) action: Action,
}

/// What is done to a rule.
pub(super) enum Action {
    Remove,
    SwapWithNext,
    Change(Box<dyn Fn(&mut HttpRoute)>),
}

/// Other places that a destination could be meant to name.
pub(super) struct Destinations {
    hosts: BTreeSet<String>,
    subsets: BTreeMap<String, BTreeSet<String>>,
}

impl Destinations {
    pub(super) fn of(objects: &[Arc<Object>]) -> Self {
        let mut known = Self { hosts: BTreeSet::new(), subsets: BTreeMap::new() };
        for object in objects {
            match &object.body {
                Kind::VirtualService(service) => {
                    let routes = service.http.iter().flat_map(|rule| &rule.route);
                    let hosts = routes.filter_map(|to| Some(to.destination.as_ref()?.host.clone()));
                    known.hosts.extend(hosts);
                }
                Kind::DestinationRule(rule) => {
                    let names = rule.subsets.iter().map(|subset| subset.name.clone());
                    known.subsets.entry(rule.host.clone()).or_default().extend(names);
                }
                _ => {}
            }
        }
        known
    }

    /// Another subset of the destination's host; the whole service, when there is none.
    fn subset(&self, destination: &Destination) -> String {
        let other = |name: &&String| **name != destination.subset;
        let of_host = self.subsets.get(&destination.host);
        of_host.and_then(|all| all.iter().find(other)).cloned().unwrap_or_default()
    }

    fn host(&self, destination: &Destination) -> Option<String> {
        self.hosts.iter().find(|host| **host != destination.host).cloned()
    }
}

/// All changes to rule `index`.
pub(super) fn of(rules: &[Arc<HttpRoute>], index: usize, others: &Destinations) -> Vec<Edit> {
    let Some(rule) = rules.get(index) else { return Vec::new() };
    let path = FieldPath::spec().field("http").index(index);
    let mut edits = Edits { path: path.clone(), found: Vec::new() };
    edits.found.push(Edit {
        path: path.clone(),
        words: "the rule is removed".to_owned(),
        action: Action::Remove,
    });
    if index + 1 < rules.len() {
        let words = format!("the rule comes after http[{}]", index + 1);
        edits.found.push(Edit { path, words, action: Action::SwapWithNext });
    }
    edits.matches(rule);
    edits.destinations(rule, others);
    edits.limits(rule);
    edits.faults(rule);
    edits.copies(rule);
    edits.rewrites(rule);
    edits.answers(rule);
    edits.headers("headers", rule.headers.as_deref(), |rule| rule.headers.as_deref_mut());
    edits.found
}

/// Changes being collected.
struct Edits {
    path: FieldPath,
    found: Vec<Edit>,
}

impl Edits {
    fn add(&mut self, field: &str, words: String, change: impl Fn(&mut HttpRoute) + 'static) {
        let path = FieldPath::from(&*format!("{}.{field}", self.path));
        self.found.push(Edit { path, words, action: Action::Change(Box::new(change)) });
    }

    fn matches(&mut self, rule: &HttpRoute) {
        for (block, wanted) in rule.match_.iter().enumerate() {
            let at = format!("match[{block}]");
            if rule.match_.len() > 1 {
                let words = format!("without {at}");
                self.add(&at, words, move |rule| {
                    rule.match_.remove(block);
                });
            }
            self.texts(block, wanted);
            for (of, names) in [
                ("headers", wanted.headers.keys()),
                ("withoutHeaders", wanted.without_headers.keys()),
                ("queryParams", wanted.query_params.keys()),
            ] {
                for name in names {
                    let field = FieldPath::from(&*format!("{at}.{of}")).field(name).to_string();
                    let name = name.clone();
                    let words = format!("without the condition {of} {name}");
                    self.add(&field, words, move |rule| {
                        let Some(block) = rule.match_.get_mut(block) else { return };
                        let conditions = match of {
                            "headers" => &mut block.headers,
                            "withoutHeaders" => &mut block.without_headers,
                            _ => &mut block.query_params,
                        };
                        conditions.remove(&name);
                    });
                }
            }
            if wanted.ignore_uri_case {
                let words = "letter case of the path counts".to_owned();
                self.add(&format!("{at}.ignoreUriCase"), words, move |rule| {
                    if let Some(block) = rule.match_.get_mut(block) {
                        block.ignore_uri_case = false;
                    }
                });
            }
        }
    }

    /// Conditions on one text each.
    fn texts(&mut self, block: usize, wanted: &HttpMatchRequest) {
        type Part = fn(&mut HttpMatchRequest) -> &mut Option<StringMatch>;
        let parts: [(&str, Option<&StringMatch>, Part); 4] = [
            ("uri", wanted.uri.as_ref(), |block| &mut block.uri),
            ("scheme", wanted.scheme.as_ref(), |block| &mut block.scheme),
            ("method", wanted.method.as_ref(), |block| &mut block.method),
            ("authority", wanted.authority.as_ref(), |block| &mut block.authority),
        ];
        for (name, condition, part) in parts {
            let Some(condition) = condition else { continue };
            let field = format!("match[{block}].{name}");
            self.add(&field, format!("without the condition {name}"), move |rule| {
                if let Some(block) = rule.match_.get_mut(block) {
                    *part(block) = None;
                }
            });
            let (words, other) = match condition {
                StringMatch::Prefix(text) if text != "/" => {
                    (format!("{name} prefix {text} → exact"), StringMatch::Exact(text.clone()))
                }
                StringMatch::Exact(text) => {
                    (format!("{name} exact {text} → prefix"), StringMatch::Prefix(text.clone()))
                }
                _ => continue,
            };
            self.add(&field, words, move |rule| {
                if let Some(block) = rule.match_.get_mut(block) {
                    *part(block) = Some(other.clone());
                }
            });
        }
    }

    fn destinations(&mut self, rule: &HttpRoute, others: &Destinations) {
        for (number, to) in rule.route.iter().enumerate() {
            let at = format!("route[{number}]");
            if rule.route.len() > 1 {
                let weight = to.weight + 1;
                let words = format!("{at} weight {} → {weight}", to.weight);
                self.add(&format!("{at}.weight"), words, move |rule| {
                    if let Some(to) = rule.route.get_mut(number) {
                        to.weight = weight;
                    }
                });
            }
            let Some(destination) = &to.destination else { continue };
            let mut change = |field: &str, words: String, host: String, subset: String| {
                self.add(&format!("{at}.destination.{field}"), words, move |rule| {
                    let to = rule.route.get_mut(number).and_then(|to| to.destination.as_mut());
                    if let Some(destination) = to {
                        host.clone_into(&mut destination.host);
                        subset.clone_into(&mut destination.subset);
                    }
                });
            };
            let named = |subset: &str| match subset {
                "" => "none".to_owned(),
                name => name.to_owned(),
            };
            let subset = others.subset(destination);
            if subset != destination.subset {
                let words = format!("subset {} → {}", named(&destination.subset), named(&subset));
                change("subset", words, destination.host.clone(), subset);
            }
            if let Some(host) = others.host(destination) {
                let words = format!("host {} → {host}", destination.host);
                change("host", words, host, destination.subset.clone());
            }
            let field = format!("{at}.headers");
            self.headers(&field, to.headers.as_deref(), move |rule| {
                rule.route.get_mut(number)?.headers.as_deref_mut()
            });
        }
    }

    fn limits(&mut self, rule: &HttpRoute) {
        let doubled = |limit: Duration| Duration::from_nanos(limit.as_nanos().saturating_mul(2));
        if let Some(limit) = rule.timeout {
            let longer = doubled(limit);
            self.add(
                "timeout",
                format!("timeout {} → {}", shown(limit), shown(longer)),
                move |rule| {
                    rule.timeout = Some(longer);
                },
            );
            self.add("timeout", format!("without the timeout of {}", shown(limit)), |rule| {
                rule.timeout = None;
            });
        }
        let Some(retries) = &rule.retries else { return };
        let (attempts, more) = (retries.attempts, retries.attempts + 1);
        self.add("retries.attempts", format!("retries {attempts} → {more}"), move |rule| {
            if let Some(retries) = &mut rule.retries {
                retries.attempts = more;
            }
        });
        if let Some(limit) = retries.per_try_timeout {
            let longer = doubled(limit);
            let words = format!("perTryTimeout {} → {}", shown(limit), shown(longer));
            self.add("retries.perTryTimeout", words, move |rule| {
                if let Some(retries) = &mut rule.retries {
                    retries.per_try_timeout = Some(longer);
                }
            });
        }
        if !retries.retry_on.is_empty() && attempts > 0 {
            let words = format!("retryOn {} → the default", retries.retry_on);
            self.add("retries.retryOn", words, |rule| {
                if let Some(retries) = &mut rule.retries {
                    retries.retry_on.clear();
                }
            });
        }
    }

    fn faults(&mut self, rule: &HttpRoute) {
        let Some(fault) = &rule.fault else { return };
        if let Some(abort) = &fault.abort {
            self.add("fault.abort", "without the abort".to_owned(), |rule| {
                if let Some(fault) = &mut rule.fault {
                    fault.abort = None;
                }
            });
            if let Some((words, other)) = halved(abort.percentage.as_ref()) {
                let words = format!("abort for {words}");
                self.add("fault.abort.percentage", words, move |rule| {
                    if let Some(abort) = rule.fault.as_mut().and_then(|f| f.abort.as_mut()) {
                        abort.percentage = Some(other.clone());
                    }
                });
            }
        }
        if let Some(delay) = &fault.delay {
            self.add("fault.delay", "without the delay".to_owned(), |rule| {
                if let Some(fault) = &mut rule.fault {
                    fault.delay = None;
                }
            });
            if let Some((words, other)) = halved(delay.percentage.as_ref()) {
                let words = format!("delay for {words}");
                self.add("fault.delay.percentage", words, move |rule| {
                    if let Some(delay) = rule.fault.as_mut().and_then(|f| f.delay.as_mut()) {
                        delay.percentage = Some(other.clone());
                    }
                });
            }
        }
    }

    fn copies(&mut self, rule: &HttpRoute) {
        if rule.mirror.is_some() {
            self.add("mirror", "without the mirror".to_owned(), |rule| rule.mirror = None);
            if let Some((words, other)) = halved(rule.mirror_percentage.as_ref()) {
                self.add("mirrorPercentage", format!("mirror {words}"), move |rule| {
                    rule.mirror_percentage = Some(other.clone());
                });
            }
        }
        for number in 0..rule.mirrors.len() {
            let field = format!("mirrors[{number}]");
            self.add(&field, format!("without {field}"), move |rule| {
                rule.mirrors.remove(number);
            });
        }
    }

    fn rewrites(&mut self, rule: &HttpRoute) {
        let Some(rewrite) = &rule.rewrite else { return };
        if !rewrite.uri.is_empty() {
            let words = format!("without the rewrite of the path to {}", rewrite.uri);
            self.add("rewrite.uri", words, |rule| {
                if let Some(rewrite) = &mut rule.rewrite {
                    rewrite.uri.clear();
                }
            });
        }
        if !rewrite.authority.is_empty() {
            let words = format!("without the rewrite of the host to {}", rewrite.authority);
            self.add("rewrite.authority", words, |rule| {
                if let Some(rewrite) = &mut rule.rewrite {
                    rewrite.authority.clear();
                }
            });
        }
        if rewrite.uri_regex_rewrite.is_some() {
            let words = "without the regular expression that rewrites the path".to_owned();
            self.add("rewrite.uriRegexRewrite", words, |rule| {
                if let Some(rewrite) = &mut rule.rewrite {
                    rewrite.uri_regex_rewrite = None;
                }
            });
        }
    }

    fn answers(&mut self, rule: &HttpRoute) {
        if let Some(redirect) = &rule.redirect {
            let code = if redirect.redirect_code == 302 { 307 } else { 302 };
            let was = if redirect.redirect_code == 0 { 301 } else { redirect.redirect_code };
            let words = format!("redirect code {was} → {code}");
            self.add("redirect.redirectCode", words, move |rule| {
                if let Some(redirect) = &mut rule.redirect {
                    redirect.redirect_code = code;
                }
            });
            if !redirect.uri.is_empty() {
                let words = format!("redirect to {0} → {0}/other", redirect.uri);
                self.add("redirect.uri", words, |rule| {
                    if let Some(redirect) = &mut rule.redirect {
                        redirect.uri.push_str("/other");
                    }
                });
            }
        }
        if let Some(answer) = &rule.direct_response {
            let status = if answer.status == 404 { 503 } else { 404 };
            let words = format!("direct response {} → {status}", answer.status);
            self.add("directResponse.status", words, move |rule| {
                if let Some(answer) = &mut rule.direct_response {
                    answer.status = status;
                }
            });
        }
    }

    /// Operations on headers at `field`, which `find` finds in a rule.
    fn headers(
        &mut self,
        field: &str,
        written: Option<&Headers>,
        find: impl Fn(&mut HttpRoute) -> Option<&mut Headers> + Copy + 'static,
    ) {
        type Side = fn(&mut Headers) -> &mut Option<HeaderOperations>;
        let Some(written) = written else { return };
        let sides: [(&str, Option<&HeaderOperations>, Side); 2] = [
            ("request", written.request.as_ref(), |headers| &mut headers.request),
            ("response", written.response.as_ref(), |headers| &mut headers.response),
        ];
        for (name, operations, side) in sides {
            let Some(operations) = operations else { continue };
            let sets = operations.set.keys().map(|header| ("set", header));
            let adds = operations.add.keys().map(|header| ("add", header));
            let removes = operations.remove.iter().map(|header| ("remove", header));
            for (operation, header) in sets.chain(adds).chain(removes) {
                let words = format!("without {operation} of {name} header {header}");
                let header = header.clone();
                self.add(&format!("{field}.{name}.{operation}"), words, move |rule| {
                    let Some(operations) = find(rule).and_then(|h| side(h).as_mut()) else {
                        return;
                    };
                    match operation {
                        "set" => drop(operations.set.remove(&header)),
                        "add" => drop(operations.add.remove(&header)),
                        _ => operations.remove.retain(|name| *name != header),
                    }
                });
            }
        }
    }
}

/// Half of a percentage, and the change in words; nothing when there is nothing to halve.
fn halved(percentage: Option<&Percent>) -> Option<(String, Percent)> {
    let value = percentage?.value.get();
    if value <= 0.0 {
        return None;
    }
    let half = value / 2.0;
    Some((format!("{value} % → {half} %"), Percent { value: Double::new(half) }))
}
