//! What a decision may know of the world: time and chance, both handed in.

use std::time::Duration;

/// Time and randomness for one decision. The engine itself reads no clock and holds no generator.
pub struct Env<'a> {
    /// Monotonic time since some fixed moment of the process.
    pub now: Duration,
    /// Wall-clock time since the Unix epoch.
    pub unix_time: Duration,
    /// Uniformly distributed random numbers.
    pub rng: &'a mut dyn FnMut() -> u64,
}

impl Env<'_> {
    /// A random number.
    pub fn random(&mut self) -> u64 {
        (self.rng)()
    }
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("now", &self.now).field("unix_time", &self.unix_time).finish()
    }
}
