use fastrand::Rng;
use regex::bytes::Regex;

use super::{Combination, Dfa};
use crate::budget::Budget;

const PATTERNS: [&str; 16] = [
    "a|b",
    "(a|b)*ab",
    "a.c",
    "(?i)ab+",
    "[^/]+/[ab]?",
    ".*",
    "",
    "(?s).*b",
    r"a(?-u:\b).*",
    "^a$",
    "(?m)^a$",
    "/a(/.*)?",
    "é|[α-ω]b",
    "(ab){2,3}",
    r"\d?a",
    "b*?a",
];

fn text(random: &mut Rng) -> String {
    const LETTERS: [&str; 10] = ["a", "b", "c", "/", "A", "B", "\n", "é", "β", "1"];
    (0..random.usize(..7)).map(|_| LETTERS[random.usize(..LETTERS.len())]).collect()
}

fn anchored(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

#[test]
fn automata_accept_what_their_expressions_match() {
    let mut random = Rng::with_seed(7);
    for pattern in PATTERNS {
        let regex = Regex::new(&anchored(pattern)).unwrap();
        let dfa = Dfa::of_regex(&anchored(pattern)).unwrap();
        for _ in 0..400 {
            let text = text(&mut random);
            let expected = regex.is_match(text.as_bytes());
            assert_eq!(dfa.accepts(text.as_bytes()), expected, "{pattern} on {text:?}");
        }
        let word = dfa.word().unwrap();
        assert!(regex.is_match(&word), "{pattern} has the word {word:?}");
    }
}

#[test]
fn combinations_are_those_of_the_answers() {
    let mut random = Rng::with_seed(8);
    let mut budget = Budget::new(u64::MAX);
    for a in PATTERNS {
        for b in PATTERNS {
            let of = |pattern| Dfa::of_regex(&anchored(pattern)).unwrap();
            let (first, second) = (of(a), of(b));
            let mut combine = |how| first.combined(how, &second, &mut budget).unwrap();
            let both = combine(Combination::And);
            let either = combine(Combination::Or);
            let only = combine(Combination::Without);
            for _ in 0..60 {
                let text = text(&mut random);
                let text = text.as_bytes();
                let (x, y) = (first.accepts(text), second.accepts(text));
                assert_eq!(both.accepts(text), x && y, "{a} and {b} on {text:?}");
                assert_eq!(either.accepts(text), x || y, "{a} or {b} on {text:?}");
                assert_eq!(only.accepts(text), x && !y, "{a} without {b} on {text:?}");
            }
            assert_eq!(both.word().is_none(), both.is_empty());
        }
    }
}

#[test]
fn equal_languages_are_equal_automata() {
    let of = |pattern: &str| Dfa::of_regex(&anchored(pattern)).unwrap();
    for (a, b) in [
        ("a|b", "[ab]"),
        ("/a(/.*)?", "/a|/a/.*"),
        ("(a|b)*", "(a*b*)*"),
        ("(?s-u).*", "(?s-u)(.*)(.*)"),
        ("aa*", "a+"),
        ("a{3}", "aaa"),
    ] {
        assert_eq!(of(a), of(b), "{a} and {b}");
    }
    assert_ne!(of("a"), of("b"));
    assert_eq!(Dfa::literal(b"ab", false, false), of("ab"));
    assert_eq!(Dfa::literal(b"aB", true, false), of("(?i-u)ab"));
    assert_eq!(Dfa::literal(b"/a", false, true), of("(?s-u)/a.*"));
    assert_eq!(Dfa::literal(b"", false, true), Dfa::everything());
    let mut budget = Budget::new(1000);
    assert_eq!(of("a").combined(Combination::And, &of("b"), &mut budget), Ok(Dfa::nothing()));
}

#[test]
fn hostile_expressions_and_long_work_are_refused() {
    assert!(Dfa::of_regex(&anchored("(a|b)*a(a|b){24}")).is_err());
    let of = |pattern: &str| Dfa::of_regex(&anchored(pattern)).unwrap();
    let mut budget = Budget::new(10);
    let combined = of(".*abcdef").combined(Combination::Or, &of(".*fedcba"), &mut budget);
    assert!(combined.is_err());
}

#[test]
fn words_are_short_and_pleasant() {
    let of = |pattern: &str| Dfa::of_regex(&anchored(pattern)).unwrap().word().unwrap();
    assert_eq!(of("/(b|a)/[^/]+"), b"/a/a");
    assert_eq!(of("/.*"), b"/");
    assert_eq!(of("[A-Z0-9]{2}"), b"00");
}
