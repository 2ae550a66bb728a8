//! Time limits that begin when the client has sent its whole request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::replay::Source;

/// A limit on how long an answer may take. As in Envoy, the clock starts with the end of the request: a long upload is
/// not a slow answer.
#[derive(Debug)]
pub(crate) struct Limit {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    body: Option<Rc<Source>>,
}

impl Limit {
    /// A limit of `timeout` after the end of `body`, or after now when there is none.
    pub(crate) fn new(timeout: Duration, body: Option<&Rc<Source>>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(timeout));
        Self { timeout, sleep, body: body.map(Rc::clone) }
    }

    /// Ready when the time is over.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            std::task::ready!(self.sleep.as_mut().poll(cx));
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

/// Which of several limits was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elapsed {
    /// That of the whole request.
    Global,
    /// That of one attempt.
    PerTry,
}

/// The output of `future`, unless a limit is reached first.
pub(crate) async fn within<F: Future>(
    global: &mut Option<Limit>,
    per_try: &mut Option<Limit>,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if global.as_mut().is_some_and(|limit| limit.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Err(Elapsed::Global));
        }
        if per_try.as_mut().is_some_and(|limit| limit.poll_elapsed(cx).is_ready()) {
            return Poll::Ready(Err(Elapsed::PerTry));
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::{Elapsed, Limit, within};

    #[tokio::test(start_paused = true)]
    async fn the_limit_that_is_reached_first_is_named() {
        let limit = |millis| Some(Limit::new(Duration::from_millis(millis), None));
        let never = pending::<()>;
        assert_eq!(within(&mut limit(9), &mut limit(5), never()).await, Err(Elapsed::PerTry));
        assert_eq!(within(&mut limit(5), &mut limit(9), never()).await, Err(Elapsed::Global));
        assert_eq!(within(&mut limit(0), &mut None, ready(1)).await, Ok(1));
    }
}
