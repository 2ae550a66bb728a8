//! Copies of requests.

use crate::mesh::{Setup, wait_until};
use crate::workload::{Response, Workload};

/// T10.
#[test]
fn a_copy_goes_to_the_other_version_and_the_client_never_knows() {
    let v1 = Workload::new("be", "v1");
    // Whatever becomes of the copy.
    let v2 = Workload::with("be", "v2", |_| Response::status(500, "v2"));
    let mesh = Setup::new([&v1, &v2]).with("backend.yaml").with("backend-mirrored.yaml").start();
    let reply = mesh.curl(&["--data", "hello", "http://be:8000/headers?a=b"]);
    assert_eq!(reply.summary(), (200, "v1"));
    let mut copies = Vec::new();
    wait_until("no copy came", || {
        copies.extend(v2.take_seen());
        !copies.is_empty()
    });
    let originals = v1.take_seen();
    assert_eq!((originals.len(), copies.len()), (1, 1));
    let (original, copy) = (&originals[0], &copies[0]);
    assert_eq!((copy.method.as_str(), copy.path.as_str()), ("POST", "/headers?a=b"));
    assert_eq!(copy.body, "hello");
    assert_eq!(copy.header("host"), "be:8000");
    assert_eq!(copy.header("x-request-id"), original.header("x-request-id"));
}
