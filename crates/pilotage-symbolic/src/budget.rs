//! Bounded work: what cannot be decided within it is said to be so.

/// The question cannot be decided exactly with the work that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too complex to decide")]
pub(crate) struct TooComplex;

/// Work that is left, in steps of automata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    /// So many steps.
    pub(crate) fn new(steps: u64) -> Self {
        Self { left: steps }
    }

    /// What is left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Takes `steps` away.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), TooComplex> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(steps).ok_or_else(|| {
            self.left = 0;
            TooComplex
        })?;
        Ok(())
    }
}
