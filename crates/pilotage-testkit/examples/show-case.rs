//! Prints a case of the vectors: `cargo run -p pilotage-testkit --example show-case NAME`; without a name, lists all.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use pilotage_testkit::vectors::{self, AREAS};

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        for (area, about) in AREAS {
            println!("{area}: {about}");
            for case in vectors::area(area) {
                println!("  {:40} {}", case.name, case.title);
            }
        }
        return;
    };
    match vectors::case(&name) {
        Some(case) => print!("{case}"),
        None => eprintln!("no case is called {name}"),
    }
}
