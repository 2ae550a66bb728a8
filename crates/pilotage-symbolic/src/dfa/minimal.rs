//! The smallest automaton of a language, numbered so that there is only one.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::build::Sketch;
use super::{ByteClasses, Dfa};

impl Sketch {
    /// The minimal automaton of the same language: states that nothing tells apart become one (Hopcroft), then byte
    /// classes; both are numbered by when they come up first.
    pub(super) fn minimal(&self) -> Dfa {
        let block_of = Blocks::refined(self).of;
        let block = |state: usize| block_of.get(state).copied().unwrap_or(0);
        let count = self.classes.count;
        let mut member: HashMap<u32, usize, FixedState> = HashMap::default();
        for state in 0..self.accepts.len() {
            member.entry(block(state)).or_insert(state);
        }
        // Two classes are one when they lead to the same blocks from everywhere.
        let mut members: Vec<usize> = member.values().copied().collect();
        members.sort_unstable();
        let mut columns: HashMap<Vec<u32>, u8, FixedState> = HashMap::default();
        let mut old_of_new: Vec<usize> = Vec::new();
        let mut new_of_old: Vec<Option<u8>> = vec![None; count];
        let mut of = Box::new([0_u8; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(of.iter_mut()) {
            let old = self.classes.of(byte);
            let known = new_of_old.get(old).copied().flatten();
            let new = known.unwrap_or_else(|| {
                let column = members.iter().map(|state| block(self.next(*state, old))).collect();
                let fresh = u8::try_from(old_of_new.len()).unwrap_or(u8::MAX);
                let new = *columns.entry(column).or_insert(fresh);
                if new == fresh {
                    old_of_new.push(old);
                }
                if let Some(slot) = new_of_old.get_mut(old) {
                    *slot = Some(new);
                }
                new
            });
            *slot = new;
        }
        // States in the order in which a walk from the start meets them.
        let mut numbers: HashMap<u32, u32, FixedState> = HashMap::default();
        numbers.insert(block(0), 0);
        let mut order = vec![0_usize];
        let (mut next, mut accepts) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(state) = order.get(at).copied() {
            at += 1;
            accepts.push(self.accepts.get(state).copied().unwrap_or(false));
            for old in &old_of_new {
                let to = self.next(state, *old);
                let fresh = u32::try_from(order.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(block(to)).or_insert(fresh);
                if number == fresh {
                    order.push(to);
                }
                next.push(number);
            }
        }
        Dfa { classes: ByteClasses::new(of), next, accepts }
    }

    fn next(&self, state: usize, class: usize) -> usize {
        self.next.get(state * self.classes.count + class).map_or(0, |to| *to as usize)
    }
}

/// A partition of states into blocks that cannot be told apart (yet).
struct Blocks {
    of: Vec<u32>,
    members: Vec<Vec<u32>>,
}

impl Blocks {
    /// Hopcroft's algorithm.
    fn refined(sketch: &Sketch) -> Self {
        let states = sketch.accepts.len();
        let classes = sketch.classes.count;
        let mut members: Vec<Vec<u32>> = vec![Vec::new(), Vec::new()];
        let mut of = vec![0_u32; states];
        for (state, (accepts, block)) in sketch.accepts.iter().zip(of.iter_mut()).enumerate() {
            *block = u32::from(*accepts);
            if let Some(all) = members.get_mut(usize::from(*accepts)) {
                all.push(u32::try_from(state).unwrap_or(u32::MAX));
            }
        }
        let mut blocks = Self { of, members };
        let sources = Sources::of(sketch);
        let smaller = usize::from(blocks.len(1) < blocks.len(0));
        let mut work: Vec<(usize, usize)> = (0..classes).map(|class| (smaller, class)).collect();
        let mut is_waiting: Vec<bool> = vec![false; 2 * classes];
        for (block, class) in &work {
            set(&mut is_waiting, block * classes + class, true);
        }
        while let Some((block, class)) = work.pop() {
            set(&mut is_waiting, block * classes + class, false);
            for (old, new) in blocks.split_by(block, class, &sources) {
                is_waiting.resize(blocks.members.len() * classes, false);
                for class in 0..classes {
                    let waits = is_waiting.get(old * classes + class) == Some(&true);
                    let piece = if waits || blocks.len(new) <= blocks.len(old) { new } else { old };
                    work.push((piece, class));
                    set(&mut is_waiting, piece * classes + class, true);
                }
            }
        }
        blocks
    }

    fn len(&self, block: usize) -> usize {
        self.members.get(block).map_or(0, Vec::len)
    }

    /// Splits every block of which only a part leads into `splitter` with `class`; each with its new second block.
    fn split_by(
        &mut self,
        splitter: usize,
        class: usize,
        sources: &Sources,
    ) -> Vec<(usize, usize)> {
        let mut touched: Vec<(usize, Vec<u32>)> = Vec::new();
        let mut place: HashMap<u32, usize, FixedState> = HashMap::default();
        for target in self.members.get(splitter).into_iter().flatten() {
            for source in sources.into(*target, class) {
                let block = self.of.get(*source as usize).copied().unwrap_or(0);
                let at = *place.entry(block).or_insert_with(|| {
                    touched.push((block as usize, Vec::new()));
                    touched.len() - 1
                });
                if let Some((_, found)) = touched.get_mut(at) {
                    found.push(*source);
                }
            }
        }
        let mut split = Vec::new();
        for (block, found) in touched {
            if found.len() == self.len(block) {
                continue;
            }
            let new = self.members.len();
            for state in &found {
                if let Some(of) = self.of.get_mut(*state as usize) {
                    *of = u32::try_from(new).unwrap_or(u32::MAX);
                }
            }
            let of = &self.of;
            if let Some(old) = self.members.get_mut(block) {
                let stays =
                    |state: &u32| of.get(*state as usize).is_some_and(|of| *of as usize == block);
                old.retain(stays);
            }
            self.members.push(found);
            split.push((block, new));
        }
        split
    }
}

/// Which states lead to a state, by class.
struct Sources {
    classes: usize,
    /// Where the sources of each target and class begin in `all`.
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Sources {
    fn of(sketch: &Sketch) -> Self {
        let classes = sketch.classes.count;
        let slots = sketch.accepts.len() * classes;
        let edges = || {
            sketch.next.iter().enumerate().map(|(edge, target)| {
                let class = edge.checked_rem(classes).unwrap_or(0);
                let source = edge.checked_div(classes).unwrap_or(0);
                (*target as usize * classes + class, source)
            })
        };
        let mut starts = vec![0_u32; slots + 1];
        for (slot, _) in edges() {
            if let Some(count) = starts.get_mut(slot + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut free = starts.clone();
        let mut all = vec![0_u32; sketch.next.len()];
        for (slot, source) in edges() {
            if let Some(at) = free.get_mut(slot) {
                if let Some(place) = all.get_mut(*at as usize) {
                    *place = u32::try_from(source).unwrap_or(u32::MAX);
                }
                *at += 1;
            }
        }
        Self { classes, starts, all }
    }

    fn into(&self, target: u32, class: usize) -> &[u32] {
        let slot = target as usize * self.classes + class;
        let bound = |slot: usize| self.starts.get(slot).map_or(0, |at| *at as usize);
        self.all.get(bound(slot)..bound(slot + 1)).unwrap_or_default()
    }
}

fn set(flags: &mut [bool], place: usize, value: bool) {
    if let Some(flag) = flags.get_mut(place) {
        *flag = value;
    }
}
