//! How long a client's connection is kept: its limits on idleness, on age, on requests, and on late heads.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use pilotage_engine::http_manager::HttpManager;
use tokio::time::{Instant, Sleep};

/// The limits of a connection. `None` means no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    /// Without a request for so long, the connection is closed.
    idle: Option<Duration>,
    /// Older than that, it is drained.
    longest: Option<Duration>,
    /// From the decision to drain to the end.
    drain: Duration,
    /// So many requests, and it is drained.
    requests: Option<u32>,
    /// From the first byte of a request to the end of its head.
    head: Option<Duration>,
    /// From the first byte of a request to its last.
    request: Option<Duration>,
}

/// What of a request is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// Its head.
    Head,
    /// All of it.
    Request,
}

/// The limits of one connection as time passes.
#[derive(Debug)]
pub(crate) struct Keeper {
    limits: Keeping,
    born: Instant,
    served: u32,
    /// Set while nothing is under way.
    idle_since: Option<Instant>,
    /// Set while the head of a request is arriving.
    head_since: Option<Instant>,
    /// No further request is wanted; the connection ends then.
    drain_end: Option<Instant>,
    /// Wakes the connection's task at some limit or earlier.
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Default for Keeping {
    /// No limits, for connections whose listener is not known before their requests are.
    fn default() -> Self {
        let drain = Duration::from_secs(5);
        Self { idle: None, longest: None, drain, requests: None, head: None, request: None }
    }
}

impl Keeping {
    pub(crate) fn of(manager: &HttpManager) -> Self {
        Self {
            idle: manager.idle_timeout,
            longest: manager.max_connection_duration,
            drain: manager.drain_timeout,
            requests: manager.max_requests_per_connection,
            head: manager.request_headers_timeout,
            request: manager.request_timeout,
        }
    }
}

impl Keeper {
    /// Of a connection that begins now.
    pub(crate) fn new(limits: Keeping) -> Self {
        Self {
            limits,
            born: Instant::now(),
            served: 0,
            idle_since: None,
            head_since: None,
            drain_end: None,
            timer: None,
        }
    }

    /// The head of a request is complete.
    pub(crate) fn begin(&mut self) {
        self.served = self.served.saturating_add(1);
        self.idle_since = None;
        self.head_since = None;
    }

    /// Whether this request is to be the last one.
    pub(crate) fn is_last(&self) -> bool {
        self.drain_end.is_some()
            || self.limits.requests.is_some_and(|most| self.served >= most)
            || self.limits.longest.is_some_and(|longest| self.born.elapsed() >= longest)
    }

    /// While no request is under way: whether the connection is to be closed. The task is woken when that changes.
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> bool {
        if self.limits.idle.is_none() && self.limits.longest.is_none() {
            return false;
        }
        let mut now = Instant::now();
        let idle_since = *self.idle_since.get_or_insert(now);
        loop {
            let idle = self.limits.idle.map(|idle| idle_since + idle);
            let aged = self.limits.longest.map(|longest| self.born + longest);
            let limit = idle.into_iter().chain(aged).min();
            let Some(deadline) = self.drain_end.or(limit) else { return false };
            if deadline <= now {
                // Who has never asked for anything has nothing under way that a request could cross.
                if self.drain_end.is_some() || self.served == 0 {
                    return true;
                }
                self.drain_end = Some(now + self.limits.drain);
            } else if self.sleep_until(deadline, now, cx) {
                return false;
            } else {
                now = Instant::now();
            }
        }
    }

    /// While no stream of a connection that can announce its end is under way, or some are: whether it is to announce
    /// it. The task is woken when that changes.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>, idle: bool) -> bool {
        if self.is_last() {
            return true;
        }
        let now = Instant::now();
        if !idle {
            self.idle_since = None;
        }
        let idle_since = idle.then(|| *self.idle_since.get_or_insert(now));
        let idle = idle_since.and_then(|since| Some(since + self.limits.idle?));
        let aged = self.limits.longest.map(|longest| self.born + longest);
        let Some(deadline) = idle.into_iter().chain(aged).min() else { return false };
        deadline <= now || !self.sleep_until(deadline, now, cx)
    }

    /// Once the end was announced, while no stream is under way (`idle`) or some are: whether the time is over that the
    /// client has to hang up by itself. The task is woken when that changes.
    pub(crate) fn poll_drained(&mut self, cx: &mut Context<'_>, idle: bool) -> bool {
        if !idle {
            return false;
        }
        let now = Instant::now();
        let deadline = *self.drain_end.get_or_insert(now + self.limits.drain);
        deadline <= now || !self.sleep_until(deadline, now, cx)
    }

    /// While the head of a request is arriving: whether it is late. The task is woken when that changes.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Option<Late> {
        self.idle_since = None;
        if self.limits.head.is_none() && self.limits.request.is_none() {
            return None;
        }
        let mut now = Instant::now();
        let since = *self.head_since.get_or_insert(now);
        let head = self.limits.head.map(|limit| (since + limit, Late::Head));
        let request = self.limits.request.map(|limit| (since + limit, Late::Request));
        let (deadline, late) = head.into_iter().chain(request).min_by_key(|(at, _)| *at)?;
        loop {
            if deadline <= now {
                return Some(late);
            }
            if self.sleep_until(deadline, now, cx) {
                return None;
            }
            now = Instant::now();
        }
    }

    /// While the head of a request is arriving, as it has since `since`: whether it is late. The task is woken when that
    /// changes.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>, since: Instant) -> bool {
        let Some(limit) = self.limits.head else { return false };
        let (deadline, now) = (since + limit, Instant::now());
        deadline <= now || !self.sleep_until(deadline, now, cx)
    }

    /// Sees to it that the task is woken at `deadline` or earlier; false when it has been already.
    fn sleep_until(&mut self, deadline: Instant, now: Instant, cx: &mut Context<'_>) -> bool {
        match &mut self.timer {
            // It was told whom to wake, which does not change.
            Some((set, _)) if now < *set && *set <= deadline => true,
            Some((set, sleep)) => {
                *set = deadline;
                sleep.as_mut().reset(deadline);
                sleep.as_mut().poll(cx).is_pending()
            }
            None => {
                let mut sleep = Box::pin(tokio::time::sleep_until(deadline));
                let pending = sleep.as_mut().poll(cx).is_pending();
                self.timer = Some((deadline, sleep));
                pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Keeper, Keeping, Late};

    const MS: Duration = Duration::from_millis(1);

    async fn closed(keeper: &mut Keeper) -> Duration {
        let start = Instant::now();
        poll_fn(|cx| if keeper.poll_idle(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_drained_unless_it_never_was_anything_else() {
        let limits = Keeping { idle: Some(10 * MS), drain: 5 * MS, ..Keeping::default() };
        assert_eq!(closed(&mut Keeper::new(limits)).await, 10 * MS);
        let mut used = Keeper::new(limits);
        tokio::time::advance(8 * MS).await;
        used.begin();
        assert!(!used.is_last());
        tokio::time::advance(8 * MS).await;
        assert_eq!(closed(&mut used).await, 15 * MS);
        assert!(used.is_last(), "a request that comes while it drains is the last one");
    }

    #[tokio::test(start_paused = true)]
    async fn age_and_requests_are_limits_too() {
        let limits = Keeping {
            idle: Some(100 * MS),
            longest: Some(10 * MS),
            drain: 5 * MS,
            requests: Some(2),
            ..Keeping::default()
        };
        let mut keeper = Keeper::new(limits);
        keeper.begin();
        assert!(!keeper.is_last());
        assert_eq!(closed(&mut keeper).await, 15 * MS);
        let mut keeper = Keeper::new(limits);
        keeper.begin();
        keeper.begin();
        assert!(keeper.is_last());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_hang_up_is_waited_for_while_it_drains() {
        let limits = Keeping { drain: 5 * MS, ..Keeping::default() };
        let (start, mut keeper) = (Instant::now(), Keeper::new(limits));
        let mut drained = |idle| {
            let closed = keeper.poll_drained(&mut Context::from_waker(Waker::noop()), idle);
            (start.elapsed(), closed)
        };
        assert_eq!(drained(false), (Duration::ZERO, false));
        tokio::time::advance(9 * MS).await;
        assert_eq!(drained(true), (9 * MS, false), "a stream ended just now");
        tokio::time::advance(5 * MS).await;
        assert_eq!(drained(true), (14 * MS, true));
    }

    #[tokio::test(start_paused = true)]
    async fn heads_are_late_when_the_shorter_limit_says_so() {
        for (head, request, expected) in
            [(3, None, Late::Head), (3, Some(9), Late::Head), (9, Some(3), Late::Request)]
        {
            let limits = Keeping {
                head: Some(head * MS),
                request: request.map(|limit| limit * MS),
                ..Keeping::default()
            };
            let (start, mut keeper) = (Instant::now(), Keeper::new(limits));
            let late = poll_fn(|cx| keeper.poll_head(cx).map_or(Poll::Pending, Poll::Ready)).await;
            assert_eq!((late, start.elapsed()), (expected, 3 * MS));
        }
    }
}
