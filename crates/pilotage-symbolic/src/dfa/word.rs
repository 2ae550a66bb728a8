//! The shortest accepted text.

use std::collections::VecDeque;

use super::Dfa;

/// All bytes, those that people like to read first.
pub(super) fn by_pleasantness() -> impl Iterator<Item = u8> {
    let liked = (b'a'..=b'z').chain(b'0'..=b'9').chain(*b"/-._=").chain(b'A'..=b'Z');
    let liked: Vec<u8> = liked.collect();
    let mut rest: Vec<u8> = (0..=u8::MAX).filter(|byte| !liked.contains(byte)).collect();
    // Printable ones before others.
    rest.sort_by_key(|byte| !byte.is_ascii_graphic());
    liked.into_iter().chain(rest)
}

impl Dfa {
    /// A shortest text that is accepted, of several the most pleasant; `None`: there is none.
    pub(crate) fn word(&self) -> Option<Vec<u8>> {
        // Classes in the order of pleasantness.
        let mut order: Vec<(usize, u8)> = Vec::new();
        for byte in by_pleasantness() {
            let class = self.classes.of(byte);
            if !order.iter().any(|(known, _)| *known == class) {
                order.push((class, byte));
            }
        }
        let mut from: Vec<Option<(u32, u8)>> = vec![None; self.len()];
        let mut waiting = VecDeque::from([0_u32]);
        while let Some(state) = waiting.pop_front() {
            if self.is_accepting(state) {
                return Some(Self::way_to(state, &from));
            }
            for (class, byte) in &order {
                let to = self.next(state, *class);
                if let Some(free @ None) = from.get_mut(to as usize)
                    && to != 0
                {
                    *free = Some((state, *byte));
                    waiting.push_back(to);
                }
            }
        }
        None
    }

    fn way_to(end: u32, from: &[Option<(u32, u8)>]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut state = end;
        while let Some(Some((before, byte))) = from.get(state as usize) {
            text.push(*byte);
            state = *before;
        }
        text.reverse();
        text
    }
}
