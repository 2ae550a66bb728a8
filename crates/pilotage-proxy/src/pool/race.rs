//! An endpoint with several addresses: which of them answers first ("happy eyeballs").

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// How long one address is tried alone before the next one is tried beside it; Envoy's value.
const HEAD_START: Duration = Duration::from_millis(300);

/// The addresses of an endpoint in the order in which they are tried: families take turns, beginning with that of the
/// first address.
pub(super) fn order(first: SocketAddr, others: &[SocketAddr]) -> Vec<SocketAddr> {
    let (mut own, mut other): (VecDeque<SocketAddr>, VecDeque<SocketAddr>) =
        others.iter().partition(|address| address.is_ipv4() == first.is_ipv4());
    own.push_front(first);
    let mut ordered = Vec::with_capacity(others.len() + 1);
    while !(own.is_empty() && other.is_empty()) {
        ordered.extend(own.pop_front());
        ordered.extend(other.pop_front());
    }
    ordered
}

/// The first of `addresses` that `connect` succeeds with. The next one is tried when one has failed, or has not
/// answered for a while; then all that were begun go on.
///
/// # Errors
/// That of the last one to fail, when none succeeds.
pub(super) async fn first<C, F, T>(addresses: &[SocketAddr], connect: C) -> io::Result<T>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.iter();
    let mut tries: Vec<Pin<Box<F>>> = Vec::new();
    let mut head_start: Option<Pin<Box<Sleep>>> = None;
    poll_fn(move |cx| {
        let mut failed = None;
        loop {
            let passed = head_start.as_mut().is_none_or(|sleep| sleep.as_mut().poll(cx).is_ready());
            if passed || tries.is_empty() {
                match waiting.next() {
                    Some(address) => {
                        tries.push(Box::pin(connect(*address)));
                        head_start = Some(Box::pin(sleep(HEAD_START)));
                    }
                    None if tries.is_empty() => {
                        let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
                        return Poll::Ready(Err(failed.take().unwrap_or_else(none)));
                    }
                    None => head_start = None,
                }
            }
            let before = tries.len();
            let mut index = 0;
            while let Some(attempt) = tries.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(error)) => {
                        failed = Some(error);
                        drop(tries.remove(index));
                    }
                    Poll::Pending => index += 1,
                }
            }
            if tries.len() < before {
                // What has failed gives way to the next at once.
                head_start = None;
                continue;
            }
            // The timer of a try that has just begun has to be polled once.
            let next_is_due = waiting.len() > 0
                && head_start.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
            if !next_is_due {
                return Poll::Pending;
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{first, order};

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]);
        let expected = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"];
        assert_eq!(order(given[0], &given[1..]), addresses(&expected));
        assert_eq!(order(given[3], &[]), addresses(&["127.0.0.1:1"]));
    }

    /// What happens to attempts, by port: after how many milliseconds, and whether they succeed.
    async fn race(fates: &[(u64, bool)]) -> (io::Result<u16>, Vec<(u16, Duration)>) {
        let start = Instant::now();
        let begun = RefCell::new(Vec::new());
        let ports = 0..u16::try_from(fates.len()).unwrap();
        let addresses: Vec<SocketAddr> = ports.map(|port| ([127, 0, 0, 1], port).into()).collect();
        let winner = first(&addresses, |address| {
            let port = address.port();
            begun.borrow_mut().push((port, start.elapsed()));
            let (millis, succeeds) = fates[usize::from(port)];
            async move {
                sleep(Duration::from_millis(millis)).await;
                let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
                if succeeds { Ok(port) } else { Err(refused) }
            }
        })
        .await;
        (winner, begun.take())
    }

    fn at(times: &[(u16, u64)]) -> Vec<(u16, Duration)> {
        times.iter().map(|(port, millis)| (*port, Duration::from_millis(*millis))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_one_waits_for_its_turn() {
        let (winner, begun) = race(&[(299, true), (0, true)]).await;
        assert_eq!((winner.unwrap(), begun), (0, at(&[(0, 0)])));
        let (winner, begun) = race(&[(5000, true), (10, true)]).await;
        assert_eq!((winner.unwrap(), begun), (1, at(&[(0, 0), (1, 300)])));
        let (winner, begun) = race(&[(700, true), (5000, true), (5000, true)]).await;
        assert_eq!((winner.unwrap(), begun), (0, at(&[(0, 0), (1, 300), (2, 600)])));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_calls_the_next_one_at_once() {
        let (winner, begun) = race(&[(20, false), (5000, true), (10, true)]).await;
        assert_eq!((winner.unwrap(), begun), (2, at(&[(0, 0), (1, 20), (2, 320)])));
        let (winner, begun) = race(&[(20, false), (30, false)]).await;
        assert_eq!(winner.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(begun, at(&[(0, 0), (1, 20)]));
    }
}
