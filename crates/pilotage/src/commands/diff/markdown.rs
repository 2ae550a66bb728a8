//! The answer as a comment on a change.

use super::places::Line;
use super::text::{headline, host, more, provisos, seen, title, untold};
use super::{Answer, places};

/// The whole answer.
pub(super) fn report(answer: &Answer<'_>) -> String {
    let changes = seen(answer);
    let untold = untold(answer, &changes);
    let changes = changes.get(..answer.most).unwrap_or(&changes);
    let headline = headline(answer, changes.len() + untold.len());
    let (what, whom) = headline.split_once('\n').unwrap_or((&headline, ""));
    let mut text = format!("**{what}**\n\n{whom}\n");
    for line in provisos(answer) {
        text.push_str(&format!("\n- {line}\n"));
    }
    if !changes.is_empty() {
        text.push_str("\n| requests | was | becomes | witness |\n|---|---|---|---|\n");
    }
    for seen in changes {
        let change = seen.change;
        let (mut was, mut becomes) = (Vec::new(), Vec::new());
        for one in &change.changes {
            let told = |what: &str, lines: Vec<Line<'_>>| match lines.first() {
                Some(line) => format!("{} (`{line}`)", cell(what)),
                None => cell(what),
            };
            was.push(told(&one.was, places::lines(answer.old, false, one, &change.was)));
            becomes.push(told(&one.becomes, places::lines(answer.new, true, one, &change.becomes)));
        }
        let mut conditions = vec![cell(&title(change))];
        conditions.extend(
            change.alternatives.iter().skip(1).map(|f| format!("or {}", cell(&f.to_string()))),
        );
        text.push_str(&format!(
            "| {} | {} | {} | `{}` |\n",
            conditions.join("<br>"),
            was.join("<br>"),
            becomes.join("<br>"),
            cell(&change.witness.to_string())
        ));
    }
    text.extend(more(&untold).map(|line| format!("\n{line}\n")));
    for view in &answer.views {
        for change in &view.difference.connections {
            text.push_str(&format!("\n- {}, {}:\n", view.name, change.condition));
            for one in &change.changes {
                text.push_str(&format!("  - was {}, becomes {}\n", one.was, one.becomes));
            }
            text.push_str(&format!("  - witness: `{}`\n", change.witness));
        }
        for place in &view.difference.undecided_connections {
            text.push_str(&format!("\n- {place}: too complex to decide\n"));
        }
        for one in &view.difference.unfinished {
            let what = "so many kinds of requests change that not all were looked at";
            text.push_str(&format!("\n- host {}: {what}\n", host(one)));
        }
        for undecided in &view.difference.undecided {
            text.push_str(&format!(
                "\n- host {}: too complex to decide: sampled {} requests\n",
                host(&undecided.host),
                undecided.samples
            ));
        }
    }
    text
}

/// A text that is safe in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
