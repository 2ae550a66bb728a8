//! Time limits of a request: on its answer, on its silence, and on its life.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pilotage_engine::timeouts::Timeouts;
use tokio::time::{Instant, Sleep};

use super::replay::Source;

/// A limit on how long an answer may take. As in Envoy, the clock starts with the end of the request: a long upload is
/// not a slow answer.
#[derive(Debug)]
struct Limit {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    body: Option<Rc<Source>>,
}

impl Limit {
    /// A limit of `timeout` after the end of `body`, or after now when there is none.
    fn new(timeout: Duration, body: Option<&Rc<Source>>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(timeout));
        Self { timeout, sleep, body: body.map(Rc::clone) }
    }

    /// Ready when the time is over.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let Some(body) = &self.body else { return Poll::Ready(()) };
            let now = Instant::now();
            let begin = body.ended_at().map_or(now, Instant::from_std);
            if begin + self.timeout <= now {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(begin + self.timeout);
        }
    }
}

/// A limit on how long nothing may come from either side.
#[derive(Debug)]
struct Silence {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    /// When a part of the answer came last.
    answered_at: Instant,
    body: Option<Rc<Source>>,
}

impl Silence {
    fn new(timeout: Duration, body: Option<&Rc<Source>>) -> Self {
        if let Some(body) = body {
            body.watch();
        }
        Self {
            timeout,
            sleep: Box::pin(tokio::time::sleep(timeout)),
            answered_at: Instant::now(),
            body: body.map(Rc::clone),
        }
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let asked_at = self.body.as_ref().and_then(|body| body.read_at());
            let last = asked_at.map_or(self.answered_at, |at| self.answered_at.max(at.into()));
            if last + self.timeout <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(last + self.timeout);
        }
    }
}

/// What few requests have: limits on silence and on life.
#[derive(Debug)]
struct Life {
    silence: Option<Silence>,
    end: Option<Pin<Box<Sleep>>>,
}

/// Which of the limits was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elapsed {
    /// That on the answer, all attempts together.
    Global,
    /// That on the answer of one attempt.
    PerTry,
    /// That on the silence of one attempt.
    PerTryIdle,
    /// That on silence.
    Silence,
    /// That on the life of the request.
    Life,
}

/// The limits of one request.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    global: Option<Limit>,
    /// Boxed, as few requests have it.
    per_try: Option<Box<Limit>>,
    per_try_idle: Option<Box<Silence>>,
    life: Option<Box<Life>>,
}

impl Limits {
    /// The limits of a request that begins now and has `body`.
    pub(crate) fn new(timeouts: &Timeouts, body: Option<&Rc<Source>>) -> Self {
        let (idle, longest) = (timeouts.idle, timeouts.max_stream_duration);
        let life = (idle.is_some() || longest.is_some()).then(|| {
            Box::new(Life {
                silence: idle.map(|timeout| Silence::new(timeout, body)),
                end: longest.map(|longest| Box::pin(tokio::time::sleep(longest))),
            })
        });
        let global = timeouts.global.map(|timeout| Limit::new(timeout, body));
        Self { global, per_try: None, per_try_idle: None, life }
    }

    /// The next attempt begins: its answer may take `timeout`, and both sides may be silent for `idle`.
    pub(crate) fn begin_attempt(
        &mut self,
        timeout: Option<Duration>,
        idle: Option<Duration>,
        body: Option<&Rc<Source>>,
    ) {
        self.per_try = timeout.map(|timeout| Box::new(Limit::new(timeout, body)));
        self.per_try_idle = idle.map(|timeout| Box::new(Silence::new(timeout, body)));
    }

    /// The attempt is over, or its answer has begun.
    pub(crate) fn end_attempt(&mut self) {
        self.per_try = None;
    }

    /// The attempt is over, and there will be another one.
    pub(crate) fn give_up_attempt(&mut self) {
        self.end_attempt();
        self.per_try_idle = None;
    }

    /// Both sides changed to another protocol: that there is an answer says no more when it ends, and what the client
    /// sends comes through `tunnel`.
    pub(crate) fn switch(&mut self, tunnel: &Rc<Source>) {
        self.global = None;
        self.per_try_idle = None;
        if let Some(life) = &mut self.life
            && let Some(silence) = &mut life.silence
        {
            tunnel.watch();
            silence.body = Some(Rc::clone(tunnel));
        }
    }

    /// A part of the answer came.
    pub(crate) fn heard(&mut self) {
        if let Some(silence) = &mut self.per_try_idle {
            silence.answered_at = Instant::now();
        }
        if let Some(life) = &mut self.life
            && let Some(silence) = &mut life.silence
        {
            silence.answered_at = Instant::now();
        }
    }

    /// Ready when one of them is reached.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        if self.global.as_mut().is_some_and(|limit| limit.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Elapsed::Global);
        }
        if self.per_try.as_mut().is_some_and(|limit| limit.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Elapsed::PerTry);
        }
        if self.per_try_idle.as_mut().is_some_and(|silence| silence.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Elapsed::PerTryIdle);
        }
        let Some(life) = &mut self.life else { return Poll::Pending };
        if life.silence.as_mut().is_some_and(|silence| silence.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Elapsed::Silence);
        }
        if life.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Elapsed::Life);
        }
        Poll::Pending
    }

    /// The output of `future`, unless a limit is reached first.
    pub(crate) async fn within<F: Future>(&mut self, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_elapsed(cx).map(Err),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use pilotage_engine::timeouts::Timeouts;

    use super::{Elapsed, Limits};

    const MS: Duration = Duration::from_millis(1);

    fn limits(timeouts: Timeouts) -> Limits {
        let mut limits = Limits::new(&timeouts, None);
        limits.begin_attempt(timeouts.per_try, timeouts.per_try_idle, None);
        limits
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_that_is_reached_first_is_named() {
        let timeouts =
            Timeouts { global: Some(9 * MS), per_try: Some(5 * MS), ..Timeouts::default() };
        assert_eq!(limits(timeouts).within(pending::<()>()).await, Err(Elapsed::PerTry));
        let later = Timeouts { per_try: Some(20 * MS), ..timeouts };
        assert_eq!(limits(later).within(pending::<()>()).await, Err(Elapsed::Global));
        let aged = Timeouts { max_stream_duration: Some(3 * MS), ..timeouts };
        assert_eq!(limits(aged).within(pending::<()>()).await, Err(Elapsed::Life));
        let none = Timeouts { global: Some(Duration::ZERO), ..Timeouts::default() };
        assert_eq!(limits(none).within(ready(1)).await, Ok(1), "what is there already is not late");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_begins_anew_with_every_part_of_the_answer() {
        let mut limits = limits(Timeouts { idle: Some(10 * MS), ..Timeouts::default() });
        for _ in 0..5 {
            assert_eq!(limits.within(tokio::time::advance(8 * MS)).await, Ok(()));
            limits.heard();
        }
        let start = tokio::time::Instant::now();
        assert_eq!(limits.within(pending::<()>()).await, Err(Elapsed::Silence));
        assert_eq!(start.elapsed(), 10 * MS);
    }
}
