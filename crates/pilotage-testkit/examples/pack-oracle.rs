//! Packs the recording into `vectors/`: `cargo run -p pilotage-testkit --example pack-oracle [RECORDING]`.
//!
//! Without an argument, the recording beside this checkout is taken. Fixtures are copied by hand: they rarely change.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use pilotage_testkit::vectors::{self, AREAS, oracle};

fn main() -> ExitCode {
    let Some(recording) = std::env::args_os().nth(1).map(PathBuf::from).or_else(oracle::recording)
    else {
        eprintln!("no recording beside this checkout; name its folder");
        return ExitCode::FAILURE;
    };
    for (area, _) in AREAS {
        let cases = oracle::own(&recording, area);
        match vectors::write_area(area, &cases) {
            Ok(bytes) => println!("{area:5} {:4} cases {bytes:8} bytes", cases.len()),
            Err(error) => {
                eprintln!("{area}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
