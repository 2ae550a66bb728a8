//! Where a request belongs: the connection manager that takes it, and the address it was meant for.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use pilotage_engine::http_manager::HttpManager;

use crate::worker::Generation;

/// Where a request belongs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) manager: Arc<HttpManager>,
    /// Where the client wanted to go. The address is unspecified when the mesh does not know the host.
    pub(super) destination: SocketAddr,
}

/// The last answer for a connection: most send all their requests to one host.
#[derive(Debug, Default)]
pub(super) struct Memo(RefCell<Option<Remembered>>);

#[derive(Debug)]
struct Remembered {
    tables: Rc<Generation>,
    authority: Option<HeaderValue>,
    place: Rc<Place>,
}

impl Memo {
    /// The place of the last request, where `tables` still say so and this one is for the same host, if that matters.
    pub(super) fn known(
        &self,
        tables: &Rc<Generation>,
        authority: Option<&HeaderValue>,
        any_host: bool,
    ) -> Option<Rc<Place>> {
        let memo = self.0.borrow();
        let known = memo.as_ref()?;
        let is_it = Rc::ptr_eq(&known.tables, tables)
            && (any_host || known.authority.as_ref() == authority);
        is_it.then(|| Rc::clone(&known.place))
    }

    /// Remembers the place of a request for `authority`.
    pub(super) fn keep(
        &self,
        tables: &Rc<Generation>,
        authority: Option<&HeaderValue>,
        place: &Rc<Place>,
    ) {
        let (tables, authority) = (Rc::clone(tables), authority.cloned());
        self.0.replace(Some(Remembered { tables, authority, place: Rc::clone(place) }));
    }
}
