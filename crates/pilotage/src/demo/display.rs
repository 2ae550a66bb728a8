//! The demo's part of the terminal: drawn again and again in place, or plain lines where there is no terminal.

use std::io::{self, Write};

/// Width and height to stay within when the terminal does not say.
const USUAL_SIZE: (usize, usize) = (100, 40);

/// Something that is drawn over itself.
#[derive(Debug)]
pub(crate) struct Display {
    /// How many lines the last frame had.
    drawn: usize,
    width: usize,
    height: usize,
    colour: bool,
}

impl Display {
    /// A display on standard output, for a terminal of this width and height.
    pub(crate) fn new(size: Option<(usize, usize)>, colour: bool) -> Self {
        let (width, height) = size.unwrap_or(USUAL_SIZE);
        Self { drawn: 0, width, height, colour }
    }

    /// Draws `frame` over the one before.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn draw(&mut self, frame: &str) -> io::Result<()> {
        let text = self.text(frame);
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// What to write in order to replace the last frame by `frame`, without a moment of emptiness.
    fn text(&mut self, frame: &str) -> String {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        let mut lines = 0;
        // A frame that is higher than the terminal would scroll, and could not be drawn over.
        for line in frame.lines().take(self.height.saturating_sub(1)) {
            let line = if self.colour {
                line.to_owned()
            } else {
                anstream::adapter::strip_str(line).to_string()
            };
            text.push_str(&cut(&line, self.width));
            text.push_str("\x1b[K\n");
            lines += 1;
        }
        // Whatever the last frame had below.
        text.push_str("\x1b[J");
        self.drawn = lines;
        text
    }
}

/// The line cut to `width` visible characters, with its colours ended.
fn cut(line: &str, width: usize) -> String {
    let mut cut = String::new();
    let mut visible = 0;
    let mut escape = false;
    for character in line.chars() {
        if character == '\x1b' {
            escape = true;
        } else if escape {
            escape = !character.is_ascii_alphabetic();
        } else {
            visible += 1;
            if visible > width {
                cut.push_str("\x1b[0m");
                break;
            }
        }
        cut.push(character);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let mut display = Display::new(Some((10, 3)), false);
        assert_eq!(display.text("a\nb\n"), "a\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(display.text("c\n"), "\x1b[2Ac\x1b[K\n\x1b[J");
        assert_eq!(display.text("1\n2\n3\n"), "\x1b[1A1\x1b[K\n2\x1b[K\n\x1b[J");
    }

    #[test]
    fn long_lines_are_cut_and_colours_take_no_room() {
        assert_eq!(cut("\x1b[32mabc\x1b[0m", 3), "\x1b[32mabc\x1b[0m");
        assert_eq!(cut("\x1b[32mabcd\x1b[0m", 3), "\x1b[32mabc\x1b[0m");
    }
}
