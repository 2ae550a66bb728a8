//! A case as text for people.

use std::fmt;

use serde_json::Value;

use super::Case;

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}: {}", self.name, self.title)?;
        writeln!(f, "# fixtures: {}", self.fixtures.join(" "))?;
        if let Some(mesh) = &self.mesh {
            writeln!(f, "# mesh: {mesh}")?;
        }
        for proxy in &self.proxies {
            writeln!(f, "# proxy: {}", json(proxy)?)?;
        }
        f.write_str(&self.input)?;
        for verdict in self.verdicts.iter().filter(|v| !v.valid) {
            writeln!(f, "# rejected: {}: {}", verdict.origin(), verdict.errors.join("; "))?;
        }
        for message in &self.messages {
            writeln!(f, "# message: {} {} {}", message.code, message.level, message.origin)?;
        }
        for exchange in &self.exchanges {
            writeln!(f, "# request: {} to {}", json(&exchange.request)?, exchange.destination)?;
            for outcome in exchange.outcomes() {
                writeln!(f, "#   outcome: {outcome}")?;
            }
        }
        for (proxy, dump) in &self.resources {
            for (kind, list) in dump.as_object().into_iter().flatten() {
                for resource in list.as_array().into_iter().flatten() {
                    writeln!(f, "# {proxy} {kind}: {}", Value::to_string(resource))?;
                }
            }
        }
        Ok(())
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, fmt::Error> {
    serde_json::to_string(value).map_err(|_| fmt::Error)
}
