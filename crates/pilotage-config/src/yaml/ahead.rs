//! Large texts are parsed on a thread of their own, ahead of whoever uses what is in them: that takes about as long.

use std::mem;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::{Limits, Parsed, SourceName, build};

/// A shorter text is parsed before a thread has begun, in bytes.
const LARGE_TEXT: usize = 64 << 10;
/// Documents are handed over together until they are this long, in bytes of text, or so many.
const LONG_BATCH: u32 = 16 << 10;
const LARGE_BATCH: usize = 16;
/// Batches that wait. What they take is memory.
const BATCHES_AHEAD: usize = 2;

/// Parses `text` and hands every document and every problem to `sink`, in order.
///
/// A few documents are in memory at a time, of a short text one. A broken document is a problem; parsing goes on at the
/// next `---`.
pub(crate) fn parse(
    source: &SourceName,
    text: &str,
    limits: &Limits,
    sink: &mut dyn FnMut(Parsed),
) {
    if text.len() < LARGE_TEXT || text.len() > limits.bytes {
        return build::parse(source, text, limits, sink);
    }
    thread::scope(|scope| {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let parser = move || {
            let mut ahead = Ahead::new(sender);
            build::parse(source, text, limits, &mut |parsed| ahead.add(parsed));
            ahead.hand_over();
        };
        match thread::Builder::new().name("yaml".to_owned()).spawn_scoped(scope, parser) {
            Ok(_) => batches.into_iter().flatten().for_each(sink),
            // Slower, but as good.
            Err(_) => build::parse(source, text, limits, sink),
        }
    });
}

/// What was parsed and not yet handed over.
struct Ahead {
    batch: Vec<Parsed>,
    /// Bytes of text that it was.
    length: u32,
    to: SyncSender<Vec<Parsed>>,
}

impl Ahead {
    fn new(to: SyncSender<Vec<Parsed>>) -> Self {
        Self { batch: Vec::new(), length: 0, to }
    }

    fn add(&mut self, parsed: Parsed) {
        if let Parsed::Document(document) = &parsed {
            self.length = self.length.saturating_add(document.node.span.len());
        }
        self.batch.push(parsed);
        if self.length >= LONG_BATCH || self.batch.len() >= LARGE_BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        self.length = 0;
        // Nobody is there any more only when the other thread has panicked, and then nobody wants it.
        drop(self.to.send(mem::take(&mut self.batch)));
    }
}
