//! What a running `pilotage up` has in force, asked at its admin port.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use pilotage_engine::{Severity, Tables};
use pilotage_explain::simulation;
use pilotage_proto::{Message, Name, ResourceSet, json};
use serde_json::Value;

use super::SideError;
use super::sides::Side;

/// How long the admin port may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tables of all proxies of the process at `address`.
pub(super) fn side(address: &str) -> Result<Side, SideError> {
    let failed = |why: String| SideError::Live(address.to_owned(), why);
    let dump = ask(address).map_err(|error| failed(error.to_string()))?;
    let dump: Value = serde_json::from_str(&dump).map_err(|error| failed(error.to_string()))?;
    let mut all = Vec::new();
    let sidecar = dump.get("configs").ok_or_else(|| failed("it shows no configs".to_owned()))?;
    all.push(("sidecar".to_owned(), tables(sidecar).map_err(failed)?));
    let gateways = dump.get("gateways").and_then(Value::as_object);
    for (selector, gateway) in gateways.into_iter().flatten() {
        let configs = gateway.get("configs").unwrap_or(&Value::Null);
        let name = match &**selector {
            "" => "gateway".to_owned(),
            selector => format!("gateway {selector}"),
        };
        all.push((name, tables(configs).map_err(failed)?));
    }
    Ok(Side::running(format!("live at {address}"), all))
}

fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /config_dump?include_eds HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| std::io::Error::other("what answers there does not speak HTTP"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    match status {
        "200" => Ok(body.to_owned()),
        other => Err(std::io::Error::other(format!("/config_dump answers {other}"))),
    }
}

/// The tables that the dump of one proxy describes.
fn tables(configs: &Value) -> Result<Arc<Tables>, String> {
    let mut set = ResourceSet::default();
    for section in configs.as_array().into_iter().flatten() {
        let each = |list: &str, pointer: &str| -> Vec<Value> {
            let entries = section.get(list).and_then(Value::as_array);
            let found = entries.into_iter().flatten().filter_map(|one| one.pointer(pointer));
            found.cloned().collect()
        };
        for (name, one) in named(&each("dynamic_listeners", "/active_state/listener"), "name")? {
            set.listeners.insert(name, one);
        }
        for (name, one) in named(&each("dynamic_route_configs", "/route_config"), "name")? {
            set.routes.insert(name, one);
        }
        for (name, one) in named(&each("dynamic_active_clusters", "/cluster"), "name")? {
            set.clusters.insert(name, one);
        }
        for (name, one) in
            named(&each("dynamic_endpoint_configs", "/endpoint_config"), "cluster_name")?
        {
            set.endpoints.insert(name, one);
        }
    }
    let (tables, rejections) = simulation::tables(&set);
    let mut refusals = rejections.iter().filter(|one| one.severity == Severity::Rejected);
    match refusals.next() {
        Some(refusal) => Err(format!("what it has in force is refused here: {refusal}")),
        None => Ok(tables),
    }
}

fn named<M>(values: &[Value], name: &str) -> Result<Vec<(String, Arc<M>)>, String>
where
    M: Message + Name + Default,
{
    let read = |value: &Value| {
        let name = value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = json::from_value(value).map_err(|error| format!("{name}: {error}"))?;
        Ok((name, Arc::new(message)))
    };
    values.iter().map(read).collect()
}
