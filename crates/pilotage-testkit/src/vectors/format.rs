//! The packed form of an area: gzip over lines, each a keyword and its content.
//!
//! ```text
//! pilotage-vectors 1
//! part JSON              a subtree that recurs; `"@N"` elsewhere means the N-th part
//! case NAME              begins a case; the lines below belong to it
//! title TEXT
//! fixture NAME
//! mesh JSON
//! | LINE                 one line of the input
//! proxy JSON
//! verdict JSON
//! message CODE LEVEL ORIGIN
//! request JSON
//! recorded JSON          what became of the request above: destination, outcomes …
//! resources PROXY JSON
//! ```

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::parts::{Packer, unpack};
use super::{Case, Exchange};
use crate::facets::Message;

const FIRST_LINE: &str = "pilotage-vectors 1";

/// `cases` in packed form. The same cases give the same bytes.
pub(super) fn write(cases: &[Case]) -> io::Result<Vec<u8>> {
    let mut packer = Packer::default();
    for case in cases {
        case.exchanges.iter().for_each(|e| packer.count(&e.recorded));
        case.resources.values().for_each(|dump| packer.count(dump));
    }
    let mut lines = Vec::new();
    for case in cases {
        write_case(case, &mut packer, &mut lines)?;
    }
    let mut out = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    writeln!(out, "{FIRST_LINE}")?;
    for part in &packer.parts {
        writeln!(out, "part {part}")?;
    }
    out.write_all(&lines)?;
    out.finish()
}

fn write_case(case: &Case, packer: &mut Packer, out: &mut Vec<u8>) -> io::Result<()> {
    writeln!(out, "case {}\ntitle {}", case.name, case.title)?;
    for fixture in &case.fixtures {
        writeln!(out, "fixture {fixture}")?;
    }
    if let Some(mesh) = &case.mesh {
        writeln!(out, "mesh {mesh}")?;
    }
    for line in case.input.lines() {
        writeln!(out, "| {line}")?;
    }
    for proxy in &case.proxies {
        writeln!(out, "proxy {}", json(proxy)?)?;
    }
    for verdict in &case.verdicts {
        writeln!(out, "verdict {}", json(verdict)?)?;
    }
    for message in &case.messages {
        writeln!(out, "message {} {} {}", message.code, message.level, message.origin)?;
    }
    for exchange in &case.exchanges {
        writeln!(out, "request {}", json(&exchange.request)?)?;
        writeln!(out, "recorded {} {}", exchange.destination, packer.pack(&exchange.recorded))?;
    }
    for (proxy, dump) in &case.resources {
        writeln!(out, "resources {proxy} {}", packer.pack(dump))?;
    }
    Ok(())
}

fn json(value: &impl Serialize) -> io::Result<String> {
    serde_json::to_string(value).map_err(io::Error::other)
}

/// The cases in `packed`.
pub(super) fn read(packed: &[u8]) -> io::Result<Vec<Case>> {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text)?;
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
        return Err(io::Error::other("not a file of vectors, or of another version"));
    }
    let mut parts = Vec::new();
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in lines {
        read_line(line, &mut parts, &mut cases)
            .ok_or_else(|| io::Error::other(format!("line {} is damaged", index + 1)))?;
    }
    Ok(cases)
}

fn read_line(line: &str, parts: &mut Vec<Value>, cases: &mut Vec<Case>) -> Option<()> {
    let (keyword, content) = line.split_once(' ')?;
    match keyword {
        "part" => {
            let part = packed(content, parts)?;
            parts.push(part);
            return Some(());
        }
        "case" => {
            cases.push(Case { name: content.to_owned(), ..Case::default() });
            return Some(());
        }
        _ => {}
    }
    let case = cases.last_mut()?;
    match keyword {
        "title" => content.clone_into(&mut case.title),
        "fixture" => case.fixtures.push(content.to_owned()),
        "mesh" => case.mesh = Some(parse(content)?),
        "|" => {
            case.input.push_str(content);
            case.input.push('\n');
        }
        "proxy" => case.proxies.push(parse(content)?),
        "verdict" => case.verdicts.push(parse(content)?),
        "message" => {
            let mut words = content.splitn(3, ' ').map(str::to_owned);
            let (code, level, origin) = (words.next()?, words.next()?, words.next()?);
            case.messages.push(Message { code, level, origin });
        }
        "request" => case.exchanges.push(Exchange {
            request: parse(content)?,
            destination: String::new(),
            recorded: Value::Null,
        }),
        "recorded" => {
            let exchange = case.exchanges.last_mut()?;
            let (destination, recorded) = content.split_once(' ')?;
            destination.clone_into(&mut exchange.destination);
            exchange.recorded = packed(recorded, parts)?;
        }
        "resources" => {
            let (proxy, dump) = content.split_once(' ')?;
            case.resources.insert(proxy.to_owned(), packed(dump, parts)?);
        }
        _ => return None,
    }
    Some(())
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn packed(text: &str, parts: &[Value]) -> Option<Value> {
    unpack(parse(text)?, parts)
}
