//! The one thread that writes access log lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{Lines, LogTarget};

/// How many buffers may wait for the writer before further ones are dropped.
const QUEUE_BUFFERS: usize = 256;

/// Takes buffers of whole lines and writes them in order, on its own thread.
#[derive(Debug)]
pub(crate) struct LogWriter {
    queue: Mutex<Option<SyncSender<Vec<u8>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    dropped: Arc<AtomicU64>,
}

enum Sink {
    Stdout,
    Stderr,
    File(File),
    Memory(Lines),
}

impl LogWriter {
    /// Opens `target` and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be opened, or no thread can be started.
    pub(crate) fn start(target: &LogTarget) -> io::Result<Self> {
        let sink = match target {
            LogTarget::Stdout => Sink::Stdout,
            LogTarget::Stderr => Sink::Stderr,
            LogTarget::File(path) => {
                Sink::File(OpenOptions::new().create(true).append(true).open(path)?)
            }
            LogTarget::Memory(lines) => Sink::Memory(lines.clone()),
        };
        let (sender, receiver) = sync_channel(QUEUE_BUFFERS);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&receiver, sink, &lost))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), dropped })
    }

    /// Queues `lines`, or drops and counts them when the queue is full.
    pub(crate) fn push(&self, lines: Vec<u8>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match queue.as_ref() {
            Some(queue) => queue.try_send(lines).err().map(|error| match error {
                std::sync::mpsc::TrySendError::Full(lines)
                | std::sync::mpsc::TrySendError::Disconnected(lines) => lines,
            }),
            None => Some(lines),
        };
        if let Some(lines) = refused {
            self.dropped.fetch_add(count_lines(&lines), Ordering::Relaxed);
        }
    }

    /// Lines lost since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is queued and ends the thread. Later lines are counted as dropped.
    pub(crate) fn finish(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the access log writer panicked");
        }
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn write_all(queue: &Receiver<Vec<u8>>, mut sink: Sink, dropped: &AtomicU64) {
    while let Ok(lines) = queue.recv() {
        let written = match &mut sink {
            Sink::Stdout => io::stdout().lock().write_all(&lines),
            Sink::Stderr => io::stderr().lock().write_all(&lines),
            Sink::File(file) => file.write_all(&lines),
            Sink::Memory(memory) => {
                memory.append(&lines);
                Ok(())
            }
        };
        if let Err(error) = written {
            dropped.fetch_add(count_lines(&lines), Ordering::Relaxed);
            tracing::warn!(%error, "access log lines are lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lines, LogTarget};
    use super::LogWriter;

    #[test]
    fn lines_arrive_in_order_and_late_ones_are_counted() {
        let lines = Lines::default();
        let writer = LogWriter::start(&LogTarget::Memory(lines.clone())).unwrap();
        writer.push(b"a\n".to_vec());
        writer.push(b"b\nc\n".to_vec());
        writer.finish();
        assert_eq!(lines.take(), "a\nb\nc\n");
        writer.push(b"d\ne\n".to_vec());
        assert_eq!(writer.dropped(), 2);
    }
}
