//! Deterministic automata over bytes, total and minimal: two of them are equal exactly if they accept the same texts.

mod build;
mod combine;
mod minimal;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use self::combine::Combination;

/// Bytes that no state tells apart form a class.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ByteClasses {
    of: Box<[u8; 256]>,
    count: usize,
}

/// An automaton. State 0 is where it starts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dfa {
    classes: ByteClasses,
    /// The next state, by state and class of the byte read.
    next: Vec<u32>,
    /// Whether a text that ends in the state is accepted.
    accepts: Vec<bool>,
}

impl ByteClasses {
    /// Classes by number; numbers are without gaps.
    fn new(of: Box<[u8; 256]>) -> Self {
        let count = of.iter().max().map_or(0, |most| usize::from(*most) + 1);
        Self { of, count }
    }

    pub(crate) fn of(&self, byte: u8) -> usize {
        self.of.get(usize::from(byte)).map_or(0, |class| usize::from(*class))
    }

    /// One byte of each class, the one that people like best.
    fn representatives(&self) -> Vec<u8> {
        let mut found: Vec<Option<u8>> = vec![None; self.count];
        for byte in word::by_pleasantness() {
            if let Some(free @ None) = found.get_mut(self.of(byte)) {
                *free = Some(byte);
            }
        }
        found.into_iter().flatten().collect()
    }
}

impl Dfa {
    /// Accepts every text.
    pub(crate) fn everything() -> Self {
        Self { classes: ByteClasses::new(Box::new([0; 256])), next: vec![0], accepts: vec![true] }
    }

    /// Accepts no text.
    pub(crate) fn nothing() -> Self {
        Self { accepts: vec![false], ..Self::everything() }
    }

    /// How many states there are.
    pub(crate) fn len(&self) -> usize {
        self.accepts.len()
    }

    /// Whether no text is accepted.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.accepts.as_slice() == [false]
    }

    /// Whether `text` is accepted.
    pub(crate) fn accepts(&self, text: &[u8]) -> bool {
        let end = text.iter().fold(0, |state, byte| self.next(state, self.classes.of(*byte)));
        self.is_accepting(end)
    }

    fn next(&self, state: u32, class: usize) -> u32 {
        self.next.get(state as usize * self.classes.count + class).copied().unwrap_or(0)
    }

    fn is_accepting(&self, state: u32) -> bool {
        self.accepts.get(state as usize).copied().unwrap_or(false)
    }

    /// The state that is never left and has this answer, if there is one.
    fn sink(&self, accepting: bool) -> Option<u32> {
        let count = self.classes.count;
        let stays = |state: u32| (0..count).all(|class| self.next(state, class) == state);
        let states = 0..u32::try_from(self.len()).unwrap_or(u32::MAX);
        states.into_iter().find(|state| self.is_accepting(*state) == accepting && stays(*state))
    }
}

impl std::fmt::Debug for Dfa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dfa({} states, {} classes)", self.len(), self.classes.count)
    }
}
