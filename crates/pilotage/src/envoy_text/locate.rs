//! From the path of a field to its place in the text.

use pilotage_config::yaml::{Node, NodeKind};
use pilotage_config::{FieldSpan, Span};
use pilotage_proto::json::Step;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Into the field of this name, in either spelling.
    Field(String),
    /// Into the item of this number.
    Item(usize),
}

impl From<Step> for At {
    fn from(step: Step) -> Self {
        match step {
            Step::Field(name) => Self::Field(name),
            Step::Item(index) => Self::Item(index),
        }
    }
}

/// The steps of `a.b[3].c`. Keys of maps stand in brackets too: `d[some.key]`.
pub(crate) fn steps(path: &str) -> Vec<At> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (key, after) = inside.split_once(']').unwrap_or((inside, ""));
            let number = key.parse().map(At::Item);
            steps.push(number.unwrap_or_else(|_| At::Field(key.to_owned())));
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if !name.is_empty() {
                steps.push(At::Field(name.to_owned()));
            }
            rest = after;
        }
    }
    steps
}

/// The path of `steps`, as people write it.
pub(crate) fn path(steps: &[At]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            At::Field(name) if name.contains(['.', '/']) => out.push_str(&format!("[{name}]")),
            At::Field(name) if out.is_empty() => out.push_str(name),
            At::Field(name) => out.push_str(&format!(".{name}")),
            At::Item(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// Where the field at exactly these steps stands.
pub(crate) fn exact(root: &Node, steps: &[At]) -> Option<FieldSpan> {
    let mut node = root;
    let mut span = FieldSpan { key: root.span, value: root.span };
    for step in steps {
        (node, span) = go(node, step)?;
    }
    Some(span)
}

/// The place of the field at `steps`, or of the innermost thing around it that the text holds. Packed messages are
/// looked into, whether the path says so or not.
///
/// # Errors
/// When the text does not hold the resource at all: how many resources of that list it has, which other texts follow.
pub(crate) fn find(root: &Node, steps: &[At]) -> Result<Span, usize> {
    let mut node = root;
    let mut found = root.span;
    for (depth, step) in steps.iter().enumerate() {
        let packed = || go(node.get("typed_config").or_else(|| node.get("typedConfig"))?, step);
        match (go(node, step).or_else(packed), &node.kind) {
            (Some((inner, span)), _) => {
                let is_large = matches!(inner.kind, NodeKind::Map(_) | NodeKind::Seq(_));
                found = if is_large { span.key } else { span.value };
                node = inner;
            }
            (None, NodeKind::Seq(items)) if depth <= RESOURCE => return Err(items.len()),
            (None, _) if depth <= RESOURCE => return Err(0),
            (None, _) => break,
        }
    }
    Ok(found)
}

/// The step that says which resource: `static_resources`, `listeners`, `[3]`.
const RESOURCE: usize = 2;

/// The same steps in the text after one that has this many resources.
pub(crate) fn pass_over(steps: &mut [At], passed: usize) {
    if let Some(At::Item(index)) = steps.get_mut(RESOURCE) {
        *index = index.saturating_sub(passed);
    }
}

fn go<'n>(node: &'n Node, step: &At) -> Option<(&'n Node, FieldSpan)> {
    match (step, &node.kind) {
        (At::Item(index), NodeKind::Seq(items)) => {
            let item = items.get(*index)?;
            Some((item, FieldSpan { key: item.span, value: item.span }))
        }
        (At::Field(name), NodeKind::Map(entries)) => {
            let is_it = |key: &str| key == name || spelled_alike(key, name);
            let entry = entries.iter().find(|entry| is_it(&entry.key))?;
            Some((&entry.value, entry.span()))
        }
        _ => None,
    }
}

/// `portValue` and `port_value` are one field.
fn spelled_alike(left: &str, right: &str) -> bool {
    let plain = |name: &str| -> Vec<u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
    };
    plain(left) == plain(right)
}

#[cfg(test)]
mod tests {
    use pilotage_config::yaml::documents;

    use super::{At, find, pass_over, path, steps};

    #[test]
    fn paths_are_taken_apart() {
        let field = |name: &str| At::Field(name.to_owned());
        let all = steps("a.b[3][envoy.filters].c");
        assert_eq!(all, [field("a"), field("b"), At::Item(3), field("envoy.filters"), field("c")]);
        assert_eq!(path(&all), "a.b[3][envoy.filters].c");
    }

    #[test]
    fn the_innermost_place_that_exists_is_found() {
        let text = "static_resources:\n  listeners:\n  - name: x\n    filters:\n    - typedConfig: {statPrefix: s}\n";
        let (nodes, _) = documents(&"x".into(), text);
        let line = |path: &str| find(&nodes[0], &steps(path)).map(|span| (span.line, span.column));
        assert_eq!(line("static_resources.listeners[0].name"), Ok((3, 11)));
        assert_eq!(line("static_resources.listeners[0].filters[0].stat_prefix"), Ok((5, 33)));
        assert_eq!(line("static_resources.listeners[0].filters[0].nothing"), Ok((5, 7)));
        assert_eq!(line("static_resources.listeners[3].name"), Err(1));
        assert_eq!(line("static_resources.clusters[0]"), Err(0));
        let mut further = steps("static_resources.listeners[3].name");
        pass_over(&mut further, 1);
        assert_eq!(further, steps("static_resources.listeners[2].name"));
    }
}
