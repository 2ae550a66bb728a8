//! Delays and errors on purpose, between the services of Bookinfo.

use std::time::Duration;

use crate::bookinfo::{Bookinfo, NO_RATINGS, NO_REVIEWS};
use crate::grpc;
use crate::mesh::{Setup, fixture};
use crate::workload::Workload;

const RATINGS: &str = "http://ratings:9080/ratings/0";
const JASON: [&str; 2] = ["--header", "end-user: jason"];
const FOREVER: Duration = Duration::from_secs(60);

fn delayed(delay: Duration) -> String {
    fixture("ratings-delayed.yaml").replace("$DELAY", &format!("{}ms", delay.as_millis()))
}

/// T3. The page waits for reviews twice, together not as long as ratings take; seven seconds are 1.4 s here.
#[test]
fn a_delay_shows_where_time_limits_do_not_fit() {
    let bookinfo = Bookinfo::start(FOREVER);
    let mut mesh = bookinfo.mesh(&["reviews-by-user.yaml"]);
    let delay = Duration::from_millis(1400);
    mesh.apply("ratings.yaml", &delayed(delay));

    assert_eq!(bookinfo.page("jason", Duration::from_millis(600)), NO_REVIEWS);
    assert_eq!(bookinfo.page("other", FOREVER), "no stars");
    // A client without a limit gets its answer, late.
    let late = mesh.curl(&[&JASON[..], &[RATINGS]].concat());
    assert_eq!(late.summary(), (200, "5"));
    assert!(late.took >= delay, "{late:?}");
    mesh.logged(&["GET /ratings/0", " 200 DI "]);
    let other = mesh.curl(&[RATINGS]);
    assert_eq!(other.summary(), (200, "5"));
}

/// T4. Once the delay is shorter than the limits, the same page is complete.
#[test]
fn a_delay_within_the_time_limits_only_slows_the_page() {
    let bookinfo = Bookinfo::start(FOREVER);
    let mut mesh = bookinfo.mesh(&["reviews-v3.yaml"]);
    let delay = Duration::from_millis(300);
    mesh.apply("ratings.yaml", &delayed(delay));
    let begin = std::time::Instant::now();
    assert_eq!(bookinfo.page("jason", FOREVER), "red stars: 5");
    assert!(begin.elapsed() >= delay);
    assert_eq!(bookinfo.page("other", FOREVER), "red stars: 5");
}

/// T4, the other remedy: the third version of reviews does not wait as long for ratings as the page waits for reviews.
#[test]
fn a_service_that_gives_up_in_time_saves_the_page() {
    let bookinfo = Bookinfo::start(Duration::from_millis(500));
    let mut mesh = bookinfo.mesh(&["reviews-v3.yaml"]);
    mesh.apply("ratings.yaml", &delayed(Duration::from_secs(120)));
    assert_eq!(bookinfo.page("jason", FOREVER), NO_RATINGS);
}

/// T5.
#[test]
fn an_abort_fails_requests_of_one_user_without_asking_the_service() {
    let bookinfo = Bookinfo::start(FOREVER);
    let mut mesh = bookinfo.mesh(&["reviews-by-user.yaml"]);
    mesh.apply("ratings.yaml", &fixture("ratings-aborted.yaml"));

    assert_eq!(bookinfo.page("jason", FOREVER), NO_RATINGS);
    assert_eq!(bookinfo.page("other", FOREVER), "no stars");
    bookinfo.ratings().take_seen();
    let aborted = mesh.curl(&[&JASON[..], &[RATINGS]].concat());
    assert_eq!(aborted.summary(), (500, "fault filter abort"));
    assert!(bookinfo.ratings().take_seen().is_empty());
    mesh.logged(&["GET /ratings/0", " 500 FI fault_filter_abort "]);
    assert_eq!(mesh.curl(&[RATINGS]).summary(), (200, "5"));
}

/// T5 for gRPC.
#[test]
fn an_abort_can_speak_grpc() {
    let calls = Workload::at("calls", "v1", grpc::serve(|_| 0)).port("grpc");
    let mesh = Setup::new([&calls]).with("grpc.yaml").start();
    let aborted = grpc::call(mesh.address, "http://calls:7000/shop.Cart/Add", "one more");
    assert_eq!((aborted.status, aborted.code.as_str()), (200, "8"));
    assert_eq!((aborted.message.as_str(), aborted.reply.as_str()), ("fault filter abort", ""));
    let other = grpc::call(mesh.address, "http://calls:7000/shop.Shelf/Get", "one");
    assert_eq!((other.code.as_str(), other.reply.as_str()), ("0", "one"));
    mesh.logged(&["POST /shop.Cart/Add HTTP/2", " FI "]);
}
