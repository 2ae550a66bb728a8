//! Being told to end: Ctrl-C, SIGTERM.

use std::io;
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The signals that end a process, heard on a thread of their own.
#[derive(Debug)]
pub(crate) struct Signals(Receiver<()>);

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system has no thread or handler left.
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let (sender, signals) = mpsc::channel();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        })?;
        Ok(Self(signals))
    }

    /// Returns when the process is told to end.
    pub(crate) fn wait_for_end(&self) {
        // An error means that nobody can tell any more.
        self.0.recv().ok();
    }

    /// The process was told to end within the time.
    pub(crate) fn ended_within(&self, time: std::time::Duration) -> bool {
        !matches!(self.0.recv_timeout(time), Err(mpsc::RecvTimeoutError::Timeout))
    }

    /// From now on, being told once more ends the process without waiting for anything.
    pub(crate) fn end_at_once_when_told_again(self) {
        thread::spawn(move || {
            if self.0.recv().is_ok() {
                // What a shell shows for a process that Ctrl-C ended.
                process::exit(130);
            }
        });
    }
}
