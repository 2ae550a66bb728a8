//! Times and shares as people write them.

use std::time::Duration;

/// `500 ms`, `2 s`, `1.5 s`, `5 min`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    if millis == 0 && !time.is_zero() {
        return format!("{} µs", time.as_micros());
    }
    if millis >= 60_000 && millis.is_multiple_of(60_000) {
        return format!("{} min", millis / 60_000);
    }
    if millis < 1000 {
        return format!("{millis} ms");
    }
    let (whole, rest) = (millis / 1000, millis % 1000);
    if rest == 0 {
        return format!("{whole} s");
    }
    format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0')) + " s"
}

/// `100 %`, `33.33 %`, `0.1 %`: two digits behind the point at most, four where it is less than that.
#[must_use]
pub fn percent(share: f64) -> String {
    let digits = if share > 0.0 && share < 0.01 { 4 } else { 2 };
    let text = format!("{share:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// `1 endpoint`, `2 endpoints`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn times_and_shares_read_well() {
        let time = |millis| super::duration(Duration::from_millis(millis));
        let times = [0, 25, 500, 1500, 2000, 2050, 90_000, 300_000].map(time);
        let wanted = ["0 ms", "25 ms", "500 ms", "1.5 s", "2 s", "2.05 s", "90 s", "5 min"];
        assert_eq!(times, wanted);
        assert_eq!(super::duration(Duration::from_micros(7)), "7 µs");
        let shares = [100.0, 33.333_33, 50.0, 0.1, 0.0001, 0.0].map(super::percent);
        assert_eq!(shares, ["100 %", "33.33 %", "50 %", "0.1 %", "0.0001 %", "0 %"]);
        assert_eq!([super::count(1, "x"), super::count(0, "x")], ["1 x", "0 xs"]);
    }
}
