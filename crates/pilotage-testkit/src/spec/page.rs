//! The parts of a page that are tested, with their lines.

/// From one heading of level 2 to the next.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// First line, from 1.
    pub(super) line: usize,
    /// Blocks of configuration with their first lines.
    pub(super) configuration: Vec<(usize, String)>,
    /// The MeshConfig, where one is given, with its first line.
    pub(super) mesh: Option<(usize, String)>,
    /// Tables that state something.
    pub(super) tables: Vec<Table>,
}

/// A table whose first column is `request` or `object`.
#[derive(Debug)]
pub(super) struct Table {
    /// Names of the columns.
    header: Vec<String>,
    /// Rows with their lines.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// The name of the first column.
    pub(super) fn kind(&self) -> &str {
        self.header.first().map_or("", String::as_str)
    }

    /// The index of the column called `name`.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|header| header == name)
    }
}

/// The sections of a page.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section { line: 1, ..Section::default() }];
    let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line)).peekable();
    while let Some((number, line)) = lines.next() {
        if line.starts_with("## ") {
            sections.push(Section { line: number, ..Section::default() });
        }
        let section = sections.last_mut().expect("there is one from the start");
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let text = (number + 1, body.join("\n") + "\n");
            match language {
                "yaml" => section.configuration.push(text),
                "yaml mesh" => section.mesh = Some(text),
                _ => {}
            }
        } else if line.starts_with('|') {
            let header = cells(line);
            let tested = matches!(header.first().map(String::as_str), Some("request" | "object"));
            let mut rows = Vec::new();
            while let Some((number, row)) = lines.next_if(|(_, line)| line.starts_with('|')) {
                if !row.trim_start_matches(['|', '-', ':', ' ']).is_empty() {
                    rows.push((number, cells(row)));
                }
            }
            if tested {
                section.tables.push(Table { header, rows });
            }
        }
    }
    sections
}

/// The cells of a row. A `|` in a code span is written `\|`, as Markdown wants it.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{0}");
    inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// The code spans of `text`.
pub(super) fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{sections, spans};

    #[test]
    fn configuration_and_tables_belong_to_their_section() {
        let page = "# T\n\n```yaml\na: 1\n```\n\n| request | outcome |\n|---|---|\n| `GET x` | to `a\\|b` |\n\n## Two\n\n| other | x |\n|---|---|\n| 1 | 2 |\n";
        let found = sections(page);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].configuration, [(4, "a: 1\n".to_owned())]);
        assert_eq!(found[0].tables[0].rows, [(9, vec!["`GET x`".into(), "to `a|b`".into()])]);
        assert!(found[1].tables.is_empty() && found[1].configuration.is_empty());
    }

    #[test]
    fn spans_are_what_stands_in_code() {
        assert_eq!(spans("to `a`, then `b`"), ["a", "b"]);
    }
}
