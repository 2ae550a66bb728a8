//! After a 101: bytes go both ways as they come, until both sides have ended or the worker closes.

use std::rc::Rc;
use std::time::Instant;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::server::Client;
use super::tail::{Ending, Tail};
use crate::pool::Lease;

/// Size of the buffer of each direction.
const BUFFER_BYTES: usize = 16 * 1024;

/// Joins the two connections once both have changed protocol. The request is over when they close.
pub(super) fn spawn(
    client: &Rc<Client>,
    downstream: OnUpgrade,
    upstream: OnUpgrade,
    lease: Lease,
    mut tail: Tail,
) {
    // The client's connection counts as open while its bytes are passed on.
    let open = client.worker.drain.open();
    tokio::task::spawn_local(async move {
        let joined = async {
            let (downstream, upstream) = tokio::try_join!(downstream, upstream)?;
            let (mut downstream, mut upstream) = (TokioIo::new(downstream), TokioIo::new(upstream));
            let copied = tokio::io::copy_bidirectional_with_sizes(
                &mut downstream,
                &mut upstream,
                BUFFER_BYTES,
                BUFFER_BYTES,
            );
            let (received, sent) = copied.await?;
            if let Some(facts) = tail.facts() {
                facts.tunnel_received = received;
                facts.bytes_sent += sent;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        let ending = match joined.await {
            Ok(()) => Ending::Complete,
            Err(error) => {
                tracing::debug!(%error, "an upgraded connection broke");
                Ending::UpstreamReset
            }
        };
        tail.finish(Instant::now(), ending);
        drop(lease);
        drop(open);
    });
}
