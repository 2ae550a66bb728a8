//! What cannot be decided is tried out: requests made of what the rules themselves look for.

use pilotage_engine::header_format::HeaderSource;
use pilotage_engine::route_match::{HeaderTest, PathMatch, RouteMatch};
use pilotage_engine::route_table::RouteTable;
use pilotage_engine::string_match::{Pattern, StringMatch};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::witness::Request;

/// A generator of requests for the rules of one virtual host before and after. Equal input gives equal requests.
#[derive(Debug)]
pub(crate) struct Sampler {
    state: u64,
    paths: Vec<Source>,
    headers: Vec<(String, Source)>,
    queries: Vec<(String, Source)>,
    methods: Vec<Source>,
}

/// Where a text comes from.
#[derive(Clone, Debug)]
enum Source {
    Literal(String),
    Prefix(String),
    Expression(Hir),
}

/// Repetitions in a text made from a regular expression, at most.
const MOST_REPEATED: u32 = 4;

impl Sampler {
    /// Looks at the rules of the virtual hosts that belong to `host`.
    pub(crate) fn new(tables: [Option<&RouteTable>; 2], host: &str) -> Self {
        let mut sampler = Self {
            state: 1,
            paths: vec![Source::Prefix("/".to_owned())],
            headers: Vec::new(),
            queries: Vec::new(),
            methods: vec![Source::Literal("GET".to_owned())],
        };
        let hosts = tables.into_iter().flatten().filter_map(|table| table.virtual_host(host));
        for route in hosts.flat_map(|host| &host.routes) {
            sampler.learn(&route.matcher);
        }
        sampler
    }

    fn learn(&mut self, matcher: &RouteMatch) {
        self.paths.extend(match matcher.path() {
            PathMatch::Prefix { prefix, .. } | PathMatch::SeparatedPrefix { prefix, .. } => {
                Some(Source::Prefix(prefix.to_string()))
            }
            PathMatch::Exact { path, .. } => Some(Source::Literal(path.to_string())),
            PathMatch::Regex(regex) => Source::expression(regex.expression()),
            PathMatch::Connect => None,
        });
        for header in matcher.headers() {
            let source = match header.test() {
                HeaderTest::Text(text) => Source::of(text),
                HeaderTest::Present(_) => Some(Source::Literal("any".to_owned())),
                HeaderTest::Range { start, .. } => Some(Source::Literal(start.to_string())),
            };
            let Some(source) = source else { continue };
            match header.source() {
                HeaderSource::Header(name) => self.headers.push((name.to_string(), source)),
                HeaderSource::Method => self.methods.push(source),
                HeaderSource::Path | HeaderSource::Authority | HeaderSource::Scheme => {}
            }
        }
        for parameter in matcher.query_parameters() {
            let source =
                parameter.value().map_or(Some(Source::Literal("any".to_owned())), Source::of);
            self.queries.extend(source.map(|source| (parameter.name().to_owned(), source)));
        }
    }

    /// The next request to `authority`.
    pub(crate) fn request(&mut self, authority: &str, scheme: &str) -> Request {
        let (paths, methods) = (self.paths.clone(), self.methods.clone());
        let mut path = self.one(&paths).unwrap_or_else(|| "/".to_owned());
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, source) in self.headers.clone() {
            if self.draw(2) == 0 && !headers.iter().any(|(known, _)| *known == name) {
                headers.push((name, self.text(&source)));
            }
        }
        let mut mark = '?';
        for (name, source) in self.queries.clone() {
            if self.draw(2) == 0 {
                let value = self.text(&source);
                path.push_str(&format!("{mark}{name}={value}"));
                mark = '&';
            }
        }
        let method = match self.draw(4) {
            0 => self.one(&methods).unwrap_or_default(),
            _ => "GET".to_owned(),
        };
        Request {
            method,
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path,
            headers,
        }
    }

    fn one(&mut self, sources: &[Source]) -> Option<String> {
        let at = self.draw(sources.len());
        sources.get(at).map(|source| self.text(source))
    }

    fn text(&mut self, source: &Source) -> String {
        let mut text = match source {
            Source::Literal(text) | Source::Prefix(text) => text.clone(),
            Source::Expression(hir) => {
                let mut bytes = Vec::new();
                self.expand(hir, &mut bytes, 0);
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        match (self.draw(4), source) {
            (0, _) => text.push('x'),
            (1, Source::Prefix(_)) => text.push_str("/x"),
            _ => {}
        }
        text
    }

    /// Appends a text that `hir` matches, as far as there are no conditions on what stands around.
    fn expand(&mut self, hir: &Hir, out: &mut Vec<u8>, depth: usize) {
        const DEEPEST: usize = 60;
        const LONGEST: usize = 2000;
        if depth > DEEPEST || out.len() > LONGEST {
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
            HirKind::Class(Class::Unicode(class)) => {
                let at = self.draw(class.ranges().len());
                if let Some(range) = class.ranges().get(at) {
                    let mut buffer = [0; 4];
                    let letter =
                        if range.start() < 'a' && range.end() > 'z' { 'a' } else { range.start() };
                    out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
                }
            }
            HirKind::Class(Class::Bytes(class)) => {
                let at = self.draw(class.ranges().len());
                out.extend(
                    class.ranges().get(at).map(|range| range.start().max(b'a').min(range.end())),
                );
            }
            HirKind::Repetition(repetition) => {
                let most = repetition
                    .max
                    .unwrap_or(u32::MAX)
                    .min(repetition.min.saturating_add(MOST_REPEATED));
                let more = self.draw((most.saturating_sub(repetition.min) + 1) as usize);
                let times = repetition.min as usize + more;
                for _ in 0..times.min(LONGEST) {
                    self.expand(&repetition.sub, out, depth + 1);
                }
            }
            HirKind::Capture(capture) => self.expand(&capture.sub, out, depth + 1),
            HirKind::Concat(all) => all.iter().for_each(|one| self.expand(one, out, depth + 1)),
            HirKind::Alternation(all) => {
                let at = self.draw(all.len());
                if let Some(one) = all.get(at) {
                    self.expand(one, out, depth + 1);
                }
            }
        }
    }

    /// A number below `bound`.
    fn draw(&mut self, bound: usize) -> usize {
        // splitmix64: good enough to be everywhere, and the same on every machine.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let bound = u64::try_from(bound).unwrap_or(1).max(1);
        usize::try_from(mixed.checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}

impl Source {
    fn of(text: &StringMatch) -> Option<Self> {
        match text.pattern() {
            Pattern::Prefix(text) => Some(Self::Prefix(text.to_string())),
            Pattern::Exact(text) | Pattern::Suffix(text) | Pattern::Contains(text) => {
                Some(Self::Literal(text.to_string()))
            }
            Pattern::Regex(regex) => Self::expression(regex.expression()),
        }
    }

    fn expression(expression: &str) -> Option<Self> {
        let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
        parser.parse(expression).ok().map(Self::Expression)
    }
}
