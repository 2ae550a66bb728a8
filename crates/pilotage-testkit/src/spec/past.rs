//! The cell of a column `after`: what happened before a row's request, words and code spans in turns.
//!
//! | words | the code span says |
//! |---|---|
//! | answers, then answers | what an endpoint did in a row: statuses, `refused`, `reset`, `timeout` |
//! | from | which endpoint that was |
//! | wait | how long nothing happened, in seconds: `31s` |
//! | held, at | how many requests have no answer yet, and at which endpoint |
//! | new | an endpoint that is there from here on |
//!
//! A result with a number in front of it, `5×503`, counts that often.

use std::time::Duration;

use pilotage_engine::outlier_detection::HostResult;

use crate::replay::history::Event;

/// Reads a cell.
pub(super) fn parse(cell: &str) -> Result<Vec<Event>, String> {
    const CONNECTING: [&str; 3] = ["and", "then", "requests"];
    let mut events = Vec::new();
    let mut pending = "";
    let mut results: Vec<HostResult> = Vec::new();
    let mut held = 0;
    let mut parts = cell.split('`');
    while let (Some(words), Some(value)) = (parts.next(), parts.next()) {
        let words = words.split(' ').map(|word| word.trim_matches([',', ';', '.']));
        let words: Vec<&str> =
            words.filter(|word| !word.is_empty() && !CONNECTING.contains(word)).collect();
        match (words.as_slice(), pending) {
            (["answers"], "") => {
                results = value.split(' ').map(result).collect::<Result<Vec<_>, _>>()?.concat();
                pending = "from";
            }
            (["from"], "from") => {
                events.push(Event::Results(std::mem::take(&mut results), value.to_owned()));
                pending = "";
            }
            (["held"], "") => {
                held = value.parse().map_err(|_| format!("`{value}` is no number"))?;
                pending = "at";
            }
            (["at"], "at") => {
                events.push(Event::Held(held, value.to_owned()));
                pending = "";
            }
            (["wait"], "") => {
                let seconds = value.strip_suffix('s').and_then(|n| n.parse().ok());
                let seconds = seconds.ok_or_else(|| format!("`{value}` is no time in seconds"))?;
                events.push(Event::Wait(Duration::from_secs(seconds)));
            }
            (["new"], "") => events.push(Event::Joins(value.to_owned())),
            _ => return Err(format!("`{}` means nothing before a request", words.join(" "))),
        }
    }
    if pending.is_empty() { Ok(events) } else { Err(format!("`{pending}` is missing")) }
}

fn result(word: &str) -> Result<Vec<HostResult>, String> {
    let (times, word) = word.split_once('×').unwrap_or(("1", word));
    let times = times.parse().map_err(|_| format!("`{times}` is no number"))?;
    let result = match word {
        "refused" | "reset" => HostResult::Failed,
        "timeout" => HostResult::TimedOut,
        status => {
            let status = status.parse().map_err(|_| format!("`{status}` is no result"))?;
            HostResult::Answered { status, grpc_status: None }
        }
    };
    // Whatever has a status was reached first.
    let reached = matches!(result, HostResult::Answered { .. });
    let each = if reached { vec![HostResult::Connected, result] } else { vec![result] };
    Ok(each.repeat(times))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pilotage_engine::outlier_detection::HostResult;

    use super::{Event, parse};

    #[test]
    fn a_past_is_read() {
        let cell =
            "answers `2×refused timeout` from `a:1`, wait `3s`, held `2` at `b:2`, then new `c:3`";
        let results = vec![HostResult::Failed, HostResult::Failed, HostResult::TimedOut];
        assert_eq!(
            parse(cell).unwrap(),
            [
                Event::Results(results, "a:1".into()),
                Event::Wait(Duration::from_secs(3)),
                Event::Held(2, "b:2".into()),
                Event::Joins("c:3".into()),
            ]
        );
        assert_eq!(parse("").unwrap(), []);
        for wrong in
            ["answers `503`", "from `a:1`", "answers `many` from `a:1`", "wait `3m`", "nothing `x`"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
