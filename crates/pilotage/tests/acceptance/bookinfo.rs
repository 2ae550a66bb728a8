//! The services of Bookinfo, small: reviews ask ratings, and a page asks reviews.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::curl::curl;
use crate::mesh::{Mesh, Setup};
use crate::workload::{Request, Response, Workload};

/// What reviews say when ratings fail.
pub(crate) const NO_RATINGS: &str = "Ratings service is currently unavailable";

/// What the page says when reviews fail.
pub(crate) const NO_REVIEWS: &str =
    "Sorry, product reviews are currently unavailable for this book.";

/// The workloads, which reach each other through the mesh that they are in.
pub(crate) struct Bookinfo {
    workloads: Vec<Workload>,
    mesh: Arc<OnceLock<SocketAddr>>,
}

impl Bookinfo {
    /// Starts them. The third version of reviews waits for ratings no longer than `patience`, the second for as long as
    /// it takes.
    pub(crate) fn start(patience: Duration) -> Self {
        let mesh = Arc::new(OnceLock::new());
        let stars = |colour: &'static str, patience| {
            let mesh = Arc::clone(&mesh);
            move |request: &Request| {
                let ratings = ask(
                    *mesh.wait(),
                    "http://ratings:9080/ratings/0",
                    request.header("end-user"),
                    patience,
                );
                Response::ok(match ratings {
                    Some(ratings) => format!("{colour} stars: {ratings}"),
                    None => NO_RATINGS.to_owned(),
                })
            }
        };
        let workloads = vec![
            Workload::with("reviews", "v1", |_| Response::ok("no stars")),
            Workload::with("reviews", "v2", stars("black", Duration::from_secs(60))),
            Workload::with("reviews", "v3", stars("red", patience)),
            Workload::with("ratings", "v1", |_| Response::ok("5")),
            Workload::new("details", "v1"),
            Workload::new("productpage", "v1"),
        ];
        Self { workloads, mesh }
    }

    /// A mesh of them, with these further fixtures.
    pub(crate) fn mesh(&self, fixtures: &[&str]) -> Mesh {
        let setup = Setup::new(&self.workloads).with("bookinfo.yaml");
        let mesh = fixtures.iter().fold(setup, |setup, name| setup.with(name)).start();
        self.mesh.set(mesh.address).unwrap();
        mesh
    }

    /// The workload of ratings.
    pub(crate) fn ratings(&self) -> &Workload {
        &self.workloads[3]
    }

    /// The part of the product page with the reviews, as `user` sees it: two attempts, each of them for as long as
    /// `patience`.
    pub(crate) fn page(&self, user: &str, patience: Duration) -> String {
        let url = "http://reviews:9080/reviews/0";
        let reviews = (0..2).find_map(|_| ask(*self.mesh.wait(), url, user, patience));
        reviews.unwrap_or_else(|| NO_REVIEWS.to_owned())
    }
}

/// Asks another service, with the user's name passed on. Nothing for a failure.
fn ask(mesh: SocketAddr, url: &str, user: &str, patience: Duration) -> Option<String> {
    let proxy = format!("http://{mesh}");
    let (user, patience) = (format!("end-user: {user}"), patience.as_secs_f64().to_string());
    let arguments = ["--proxy", &proxy, "--max-time", &patience, "--header", &user, url];
    let reply = curl(&arguments);
    (reply.exit == 0 && reply.status == 200).then_some(reply.body)
}
