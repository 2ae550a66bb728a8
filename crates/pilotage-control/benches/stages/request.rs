//! What the engine does for one request: everything that a proxy pays besides sockets and parsing.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use http::{HeaderName, HeaderValue, Method, Version};
use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo};
use pilotage_engine::forward::Exchange;
use pilotage_engine::forwarded::{self, Arrived};
use pilotage_engine::headers::Headers;
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::load_balancing::PickContext;
use pilotage_engine::request::UpstreamHead;
use pilotage_engine::retries::RetryState;
use pilotage_engine::{Decision, Downstream, Env, LiveState, NoTrace, RequestHead, Tables, decide};

use super::{SERVICES, resources};

/// A mesh, and a client that asks for a service in the middle of it.
struct Scene {
    tables: Arc<Tables>,
    manager: Arc<HttpManager>,
    peer: SocketAddr,
    local: SocketAddr,
    authority: String,
    headers: Headers,
    chance: u64,
}

/// What an ordinary client sends.
const HEADERS: [(&str, &str); 5] = [
    ("user-agent", "bench/1.0"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip"),
    ("x-request-id", "01234567-89ab-4def-8000-000000000001"),
    ("cookie", "session=4711"),
];

impl Scene {
    fn new(services: usize) -> Self {
        let (tables, _) = Tables::apply(&Tables::empty(), &resources(services), &LiveState::new());
        let authority = format!("s{}", services / 2);
        let local = tables.destination(&authority, None).expect("the host resolves");
        let peer = SocketAddr::from(([10, 0, 0, 9], 40_000));
        let listener = tables.listener_for_destination(local).expect("a listener takes it");
        let chain = listener.chain(&ConnectionInfo {
            destination: local,
            source: peer,
            direct_source: peer,
            server_name: None,
            tls: false,
            application_protocols: &["http/1.1"],
        });
        let Some(ChainAction::Http(manager)) = chain.map(|chain| &chain.action) else {
            panic!("not an HTTP chain");
        };
        let manager = Arc::clone(manager);
        let headers = HEADERS
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Self { tables, manager, peer, local, authority, headers, chance: 7 }
    }

    /// Calls `stage` with what it needs of a request.
    fn with<R>(&mut self, stage: impl FnOnce(&Self, &Downstream<'_>, &mut Env<'_>) -> R) -> R {
        let mut chance = self.chance;
        let mut draw = || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            chance
        };
        let mut env = Env {
            now: Duration::from_secs(1),
            unix_time: Duration::from_secs(1_700_000_000),
            rng: &mut draw,
        };
        let downstream = Downstream::plain(self.peer, self.local);
        let result = stage(self, &downstream, &mut env);
        self.chance = chance;
        result
    }

    fn head<'a>(&'a self, headers: &'a Headers, downstream: &'a Downstream<'a>) -> RequestHead<'a> {
        RequestHead {
            method: &Method::GET,
            scheme: "http",
            authority: &self.authority,
            path: "/items/4711?full=true",
            version: Version::HTTP_11,
            headers,
            downstream,
            client: self.peer,
            metadata: None,
        }
    }

    fn prepare(&self, headers: &mut Headers, downstream: &Downstream<'_>, env: &mut Env<'_>) {
        let mut arrived = Arrived {
            method: &Method::GET,
            scheme: None,
            authority: Some(&self.authority),
            path: "/items/4711?full=true",
            version: Version::HTTP_11,
            headers,
            downstream,
        };
        black_box(forwarded::prepare(&self.manager, &mut arrived, env)).expect("it can be routed");
    }
}

#[divan::bench(args = SERVICES)]
fn decide_one(bencher: Bencher<'_, '_>, services: usize) {
    let mut scene = Scene::new(services);
    bencher.bench_local(|| {
        scene.with(|scene, downstream, env| {
            let head = scene.head(&scene.headers, downstream);
            decide(&scene.tables, &scene.manager, black_box(&head), env, &mut NoTrace)
        })
    });
}

#[divan::bench]
fn prepare_one(bencher: Bencher<'_, '_>) {
    let mut scene = Scene::new(10);
    let headers = scene.headers.clone();
    bencher.with_inputs(|| headers.clone()).bench_local_refs(|headers| {
        scene.with(|scene, downstream, env| scene.prepare(headers, downstream, env));
    });
}

/// All that the engine does for one request that is answered at the first attempt.
#[divan::bench]
fn whole_request(bencher: Bencher<'_, '_>) {
    let mut scene = Scene::new(10);
    let request = scene.headers.clone();
    let response = Headers::from_iter([
        (http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        (http::header::CONTENT_LENGTH, HeaderValue::from_static("128")),
        (http::header::SERVER, HeaderValue::from_static("nginx")),
    ]);
    bencher.with_inputs(|| (request.clone(), response.clone())).bench_local_refs(
        |(headers, answer)| {
            scene.with(|scene, downstream, env| one(scene, downstream, env, headers, answer));
        },
    );
}

fn one(
    scene: &Scene,
    downstream: &Downstream<'_>,
    env: &mut Env<'_>,
    headers: &mut Headers,
    answer: &mut Headers,
) {
    scene.prepare(headers, downstream, env);
    let head = scene.head(headers, downstream);
    let decided = decide(&scene.tables, &scene.manager, &head, env, &mut NoTrace);
    let Decision::Forward(forward) = decided else { panic!("not forwarded") };
    black_box(RetryState::new(&forward, &head));
    let endpoint = forward.cluster.pick(&PickContext::default(), env).expect("an endpoint");
    let mut exchange = Exchange {
        attempts: 1,
        upstream: endpoint.address.socket(),
        cluster: Some(&forward.cluster.settings.name),
        start: env.unix_time,
        ..Exchange::default()
    };
    let mut sent = head.headers.clone();
    let mut upstream = UpstreamHead {
        method: head.method,
        scheme: head.scheme,
        path: Cow::Borrowed(head.path),
        authority: Cow::Borrowed(head.authority),
        headers: &mut sent,
    };
    forward.apply_request_headers(&mut upstream, &head, &exchange);
    black_box(&upstream);
    exchange.status = Some(200);
    exchange.upstream_service_time = Some(Duration::from_millis(3));
    forward.apply_response_headers(answer, &head, &exchange);
    forwarded::finish(&scene.manager, answer, head.headers);
}
