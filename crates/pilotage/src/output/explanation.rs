//! An explanation for people: one screen, the reasons before the details, each with its line.

use std::path::{Path, PathBuf};

use pilotage_explain::explanation::{
    AbsentRule, Alternative, ConditionAnswer, Destination, EndpointAnswer, Explanation, Fact,
    Outcome, Place, RuleName, Tried,
};
use pilotage_explain::{lacks_endpoints, name_of_destination, words};

use super::rows::{Rows, Tone};

/// Endpoints of a destination that are shown.
const MOST_ENDPOINTS: usize = 4;
/// Rules that did not fit and are shown.
const MOST_RULES: usize = 10;

/// `answer` for people. The folder that all of `paths` lie in is told once, and left out of the names of files.
pub(crate) fn explanation(answer: &Explanation, paths: &[PathBuf]) -> String {
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let screen = Screen { answer, folder: common_folder(paths) };
    let mut rows = Rows::new(width.filter(|width| *width < 100));
    screen.asked(&mut rows);
    rows.gap();
    screen.host(&mut rows);
    screen.place_of_decision(&mut rows);
    screen.rules(&mut rows);
    screen.outcome(&mut rows);
    screen.policies(&mut rows);
    screen.last_words(&mut rows);
    rows.into_text()
}

struct Screen<'a> {
    answer: &'a Explanation,
    folder: Option<String>,
}

impl Screen<'_> {
    fn asked(&self, rows: &mut Rows) {
        let (asked, proxy) = (&self.answer.request, &self.answer.proxy);
        let mut text = format!("{} {}", asked.method, asked.url);
        if asked.protocol == "tcp" {
            text = format!("bytes to {}", asked.url);
        }
        for (name, values) in &asked.headers {
            text = format!("{text}  {name}: {}", values.join(", "));
        }
        let kind = if proxy.kind == "gateway" { "a gateway" } else { "a sidecar" };
        let way = if asked.mode == "inbound" { "to" } else { "from" };
        let labels: Vec<String> =
            proxy.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let labels = if labels.is_empty() || labels.len() > 3 {
            String::new()
        } else {
            format!(" ({})", labels.join(", "))
        };
        rows.line(&text, Tone::Strong);
        let whose = format!("{way} {kind} in namespace {}{labels}", proxy.namespace);
        let whose = if proxy.kind == "gateway" { whose.replace("from", "at") } else { whose };
        let below = self.folder.as_ref().map(|folder| format!(" · files below {folder}"));
        rows.line(&format!("{whose}{}", below.unwrap_or_default()), Tone::Quiet);
    }

    fn host(&self, rows: &mut Rows) {
        let host = &self.answer.host;
        let said = match (&host.service, &host.domain) {
            (Some(service), _) if *service == host.asked => service.clone(),
            (Some(service), _) => format!("{} → {service}", host.asked),
            (None, Some(domain)) if domain == "*" => format!("{}: nobody's", host.asked),
            (None, Some(domain)) => format!("{}, by {domain}", host.asked),
            (None, None) => host.asked.clone(),
        };
        let place = host.rules.as_ref().or(host.place.as_ref());
        rows.push("host", 0, &said, &self.with_object(place), Tone::Plain);
        for rival in &self.answer.rivals {
            let said = format!("not {}: {}", rival.place.object, rival.reason);
            rows.push("", 1, &said, &self.at(Some(&rival.place)), Tone::Quiet);
        }
    }

    /// Listener, chain and virtual host.
    fn place_of_decision(&self, rows: &mut Rows) {
        let answer = self.answer;
        let mut parts = Vec::new();
        if let Some(listener) = &answer.listener {
            parts.push(listener.clone());
        }
        let chain = answer.filter_chain.as_ref().filter(|chain| !chain.is_empty());
        if let Some(chain) = chain.filter(|chain| answer.listener.as_ref() != Some(*chain)) {
            parts.push(format!("chain {chain}"));
        }
        if let Some(routes) = &answer.route_config {
            parts.push(format!("routes {routes}"));
        }
        if let Some(host) = &answer.virtual_host {
            parts.push(format!("virtual host {host}"));
        }
        if !parts.is_empty() {
            rows.push("listener", 0, &parts.join(" · "), "", Tone::Quiet);
        }
    }

    fn rules(&self, rows: &mut Rows) {
        let tried = &self.answer.trace;
        let passed = tried.iter().filter(|tried| !tried.matched).count();
        let hidden = passed.saturating_sub(MOST_RULES);
        let mut last: Option<&RuleName> = None;
        let mut absent = self.answer.absent.iter().take(MOST_RULES).peekable();
        for (index, tried) in tried.iter().enumerate() {
            while let Some(rule) = absent.next_if(|absent| absent.rule.number < tried.rule.number) {
                self.absent(rows, rule);
            }
            let first_shown = MOST_RULES / 2;
            if hidden > 0 && !tried.matched && index >= first_shown && index < first_shown + hidden
            {
                if index == first_shown {
                    let said = format!("{} more that do not fit (-o json shows them)", hidden);
                    rows.push("", 0, &said, "", Tone::Quiet);
                }
                continue;
            }
            self.rule(rows, tried, last);
            last = Some(&tried.rule);
        }
        absent.for_each(|rule| self.absent(rows, rule));
        // Rules for bytes are not tried one by one.
        if tried.is_empty()
            && let Some(rule) = &self.answer.rule
        {
            rows.push(&topic(rule), 0, &rule.field, &self.at(rule.place.as_ref()), Tone::Plain);
        }
    }

    fn absent(&self, rows: &mut Rows, absent: &AbsentRule) {
        let AbsentRule { rule, reason } = absent;
        let name = if rule.name.is_empty() { String::new() } else { format!(" \"{}\"", rule.name) };
        let said = format!("{}{name}   not here: {reason}", rule.field);
        rows.push(&topic(rule), 0, &said, &self.at(rule.place.as_ref()), Tone::Quiet);
    }

    fn rule(&self, rows: &mut Rows, tried: &Tried, last: Option<&RuleName>) {
        let rule = &tried.rule;
        let is_new = last.is_none_or(|last| last.field != rule.field || last.via != rule.via);
        let name = if rule.name.is_empty() { String::new() } else { format!(" \"{}\"", rule.name) };
        let field = match &rule.via {
            _ if rule.field.is_empty() => "default route".to_owned(),
            Some(via) => {
                let object = rule.place.as_ref().map_or("", |place| place.object.as_str());
                let name = object.rsplit(' ').next().unwrap_or_default();
                format!("{} → {name} {}", via.field.trim_start_matches("spec."), rule.field)
            }
            None => rule.field.clone(),
        };
        let block = tried.block.map(|block| format!(" match[{block}]")).unwrap_or_default();
        let mut said = format!("{field}{name}{block}");
        let failed = tried.conditions.iter().find(|condition| !condition.holds);
        let heading = if is_new { topic(rule) } else { String::new() };
        let (tone, source) = match failed {
            None => {
                said.push_str("   matched");
                (Tone::Good, self.at(rule.place.as_ref()))
            }
            Some(condition) => {
                said = format!("{said}   no: {}", told(condition));
                (Tone::Plain, self.at(condition.place.as_ref().or(rule.place.as_ref())))
            }
        };
        rows.push(&heading, 0, &said, &source, tone);
        if tried.matched {
            let written = tried.conditions.iter().filter(|condition| condition.place.is_some());
            for condition in written {
                let source = self.at(condition.place.as_ref());
                rows.push("", 1, &told(condition), &source, Tone::Plain);
            }
        }
    }

    fn outcome(&self, rows: &mut Rows) {
        let answer = self.answer;
        self.facts(rows, 0, "fault");
        if !answer.policies.iter().any(|fact| fact.topic == "fault")
            && answer.outcome == Outcome::Forward
            && answer.route_config.is_some()
        {
            rows.push("fault", 0, "none", "", Tone::Quiet);
        }
        self.facts(rows, 0, "rewrite");
        self.facts(rows, 0, "headers");
        if answer.outcome != Outcome::Forward {
            self.own_answer(rows);
            return;
        }
        for (index, cluster) in answer.clusters.iter().enumerate() {
            self.destination(rows, cluster, if index == 0 { "goes to" } else { "" });
        }
        let shared = shared_facts(&answer.clusters);
        for fact in &shared {
            self.fact(rows, 0, fact);
        }
    }

    /// What the proxy itself answers.
    fn own_answer(&self, rows: &mut Rows) {
        let answer = self.answer;
        let mut parts = Vec::new();
        match answer.status {
            Some(status) => parts.push(status.to_string()),
            None => parts.push("the connection is closed".to_owned()),
        }
        if !answer.flags.is_empty() {
            parts.push(answer.flags.clone());
        }
        parts.extend(answer.details.clone().filter(|details| details != "direct_response"));
        if let Some(location) = &answer.location {
            parts.push(format!("→ {location}"));
        }
        let rule = answer.rule.as_ref().and_then(|rule| rule.place.as_ref());
        let tone = if answer.outcome == Outcome::None { Tone::Bad } else { Tone::Strong };
        let source = if answer.outcome == Outcome::None { String::new() } else { self.at(rule) };
        rows.push("answer", 0, &parts.join(" "), &source, tone);
        if let Some(body) = &answer.body {
            let line: String = body.lines().next().unwrap_or_default().chars().take(60).collect();
            let more = if line.len() < body.len() { "…" } else { "" };
            rows.push("body", 0, &format!("{line}{more}"), "", Tone::Plain);
        }
    }

    fn destination(&self, rows: &mut Rows, cluster: &Destination, topic: &str) {
        let mut said = format!(
            "{}  {}",
            name_of_destination(self.answer, cluster),
            words::percent(cluster.share)
        );
        if !cluster.flags.is_empty() && !lacks_endpoints(cluster) {
            let status = cluster.status.map(|status| format!("{status} ")).unwrap_or_default();
            said = format!("{said}   {status}{}", cluster.flags);
        }
        if let Some(subset) = &cluster.subset {
            let labels: Vec<String> =
                cluster.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!(" {{{}}}", labels.join(", "))
            };
            said = format!("{said}   subset {subset}{labels}");
        }
        let place = cluster.policy.as_ref().or(cluster.place.as_ref());
        let fails = !cluster.flags.is_empty() && !lacks_endpoints(cluster);
        let tone = if fails { Tone::Bad } else { Tone::Strong };
        rows.push(topic, 0, &said, &self.with_object(place), tone);
        if cluster.policy.is_some() && self.answer.clusters.len() > 1 {
            let field = cluster.place.as_ref().map_or("", |place| place.field.as_str());
            let said =
                format!("weight {} by {}", cluster.weight, field.trim_start_matches("spec."));
            rows.push("", 1, &said, &self.at(cluster.place.as_ref()), Tone::Quiet);
        }
        let endpoints = endpoints(&cluster.endpoints);
        if lacks_endpoints(cluster) {
            let fate = match cluster.status {
                Some(status) => format!("requests get {status} {}", cluster.flags),
                None => format!("connections are closed, {},", cluster.flags),
            };
            let said = format!("no endpoint is known: {fate} until there is one");
            rows.push("", 1, &said, "", Tone::Quiet);
        } else if !endpoints.is_empty() {
            let tone = if cluster.endpoints.iter().all(|e| e.health != "healthy") {
                Tone::Bad
            } else {
                Tone::Plain
            };
            rows.push("", 1, &endpoints, "", tone);
        }
        let shared = shared_facts(&self.answer.clusters);
        for fact in cluster.facts.iter().filter(|fact| !shared.contains(fact)) {
            self.fact(rows, 1, fact);
        }
    }

    fn policies(&self, rows: &mut Rows) {
        for topic in ["timeout", "retries", "mirror", "cors"] {
            self.facts(rows, 0, topic);
        }
    }

    fn facts(&self, rows: &mut Rows, indent: usize, topic: &str) {
        for fact in self.answer.policies.iter().filter(|fact| fact.topic == topic) {
            self.fact(rows, indent, fact);
        }
    }

    fn fact(&self, rows: &mut Rows, indent: usize, fact: &Fact) {
        let source = match (&fact.place, &fact.source) {
            (Some(place), _) => self.at(Some(place)),
            (None, Some(source)) => source.clone(),
            (None, None) => String::new(),
        };
        let (topic, said) = if indent == 0 {
            (fact.topic.as_str(), fact.text.clone())
        } else {
            ("", format!("{}: {}", fact.topic, fact.text))
        };
        let tone = if fact.place.is_some() { Tone::Plain } else { Tone::Quiet };
        rows.push(topic, indent, &said, &source, tone);
    }

    fn last_words(&self, rows: &mut Rows) {
        let answer = self.answer;
        let mut failing = answer.clusters.iter().filter(|cluster| !cluster.flags.is_empty());
        let is_told = answer.outcome == Outcome::Forward
            && answer.clusters.iter().any(lacks_endpoints)
            && failing.all(lacks_endpoints);
        if let Some(message) = answer.message.as_ref().filter(|_| !is_told) {
            rows.gap();
            rows.line(&self.shortened(message), Tone::Bad);
        }
        if !answer.alternatives.is_empty() {
            rows.gap();
        }
        for alternative in &answer.alternatives {
            rows.line(&said(alternative), Tone::Plain);
        }
        if !answer.notes.is_empty() {
            rows.gap();
        }
        for note in &answer.notes {
            rows.line(&format!("note: {note}"), Tone::Quiet);
        }
    }

    /// The object and the line of a place, with a tab between them.
    fn with_object(&self, place: Option<&Place>) -> String {
        match place {
            Some(place) if place.file.is_some() => {
                format!("{}\t{}", place.object, self.at(Some(place)))
            }
            other => self.at(other),
        }
    }

    /// The line of a place, or the object where there is no file.
    fn at(&self, place: Option<&Place>) -> String {
        place.map(|place| self.shortened(&place.to_string())).unwrap_or_default()
    }

    /// Without the folders that were named: what lies in them is known by the rest.
    fn shortened(&self, text: &str) -> String {
        match &self.folder {
            Some(folder) => text.replace(folder, ""),
            None => text.to_owned(),
        }
    }
}

/// The folder in which all of `paths` lie, with a slash behind it. The current one is none worth telling.
fn common_folder(paths: &[PathBuf]) -> Option<String> {
    let folder = |path: &PathBuf| {
        if path.is_dir() {
            path.clone()
        } else {
            path.parent().map(Path::to_owned).unwrap_or_default()
        }
    };
    let mut folders = paths.iter().map(folder);
    let mut common = folders.next()?;
    for other in folders {
        let shared = common.components().zip(other.components()).take_while(|(a, b)| a == b);
        common = shared.map(|(component, _)| component).collect();
    }
    let text = common.display().to_string();
    let text = text.trim_end_matches('/');
    (!text.is_empty() && text != ".").then(|| format!("{text}/"))
}

fn topic(rule: &RuleName) -> String {
    if rule.number == 0 { "route".to_owned() } else { format!("rule {}", rule.number) }
}

/// `header end-user   want exact jason   got nothing`.
fn told(condition: &ConditionAnswer) -> String {
    let name = match (condition.kind.as_str(), condition.name.as_str()) {
        ("header", pseudo) if pseudo.starts_with(':') => pseudo.trim_start_matches(':').to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, name) => format!("{kind} {name}"),
    };
    let got = match (&condition.got, condition.kind.as_str()) {
        (Some(got), _) => got,
        (None, "metadata") if condition.name.starts_with('@') => "nothing: no tokens are read here",
        (None, "metadata") => "nothing: no filter here sets any",
        (None, _) => "nothing",
    };
    format!("{name}   want {}   got {got}", condition.wanted)
}

fn said(alternative: &Alternative) -> String {
    let rule = alternative.rule.as_ref().map_or_else(String::new, |rule| {
        if rule.number == 0 {
            String::new()
        } else {
            format!("rule {} ({}) → ", rule.number, rule.field)
        }
    });
    let mut change = alternative.change.clone();
    if let Some(first) = change.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{change}: {rule}{}", alternative.text)
}

/// `10.0.1.7:9080 healthy · 10.0.1.9:9080 ejected (5 × 5xx) · and 3 more`.
fn endpoints(all: &[EndpointAnswer]) -> String {
    let mut texts: Vec<String> = all.iter().take(MOST_ENDPOINTS).map(endpoint).collect();
    if all.len() > MOST_ENDPOINTS {
        let well = all.iter().filter(|endpoint| endpoint.health == "healthy").count();
        texts.push(format!(
            "and {} more, {well} of {} healthy",
            all.len() - MOST_ENDPOINTS,
            all.len()
        ));
    }
    texts.join(" · ")
}

fn endpoint(endpoint: &EndpointAnswer) -> String {
    let mut text = format!("{} {}", endpoint.address, endpoint.health);
    if let Some(reason) = &endpoint.reason {
        text = format!("{text} ({reason})");
    }
    if let Some(locality) = &endpoint.locality {
        text = format!("{text} in {locality}");
    }
    if endpoint.priority > 0 {
        text = format!("{text}, priority {}", endpoint.priority);
    }
    text
}

/// The facts that are true of every destination that exists.
fn shared_facts(clusters: &[Destination]) -> Vec<Fact> {
    let mut existing = clusters.iter().filter(|cluster| cluster.exists);
    let Some(first) = existing.next() else { return Vec::new() };
    let others: Vec<&Destination> = existing.collect();
    let everywhere = |fact: &&Fact| others.iter().all(|cluster| cluster.facts.contains(fact));
    first.facts.iter().filter(everywhere).cloned().collect()
}
