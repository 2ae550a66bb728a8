use std::fs;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pilotage_model::ProxyClass;

use super::*;
use crate::files::FileSource;
use crate::identities::ProxyId;
use crate::publish::Refusal;

/// Long enough for the slowest machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A loop over a temporary folder, with everything it says and publishes.
struct Running {
    folder: tempfile::TempDir,
    reports: Receiver<Report>,
    generations: Receiver<Generation>,
    stop: StopLoop,
    thread: Option<JoinHandle<()>>,
}

struct Recorder(Sender<Generation>);

impl Publisher for Recorder {
    fn publish(&mut self, generation: &Generation) -> Vec<Refusal> {
        self.0.send(generation.clone()).ok();
        Vec::new()
    }
}

impl Running {
    fn start(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let (told, reports) = mpsc::channel();
        let (published, generations) = mpsc::channel();
        let source: Box<dyn Source> = Box::new(FileSource::new(vec![folder.path().to_owned()]));
        let sidecar = ProxyClass { namespace: "default".into(), ..ProxyClass::default() };
        let (control, stop) = ControlLoop::new(
            vec![source],
            Identities { sidecar: Some(sidecar), gateways: true },
            Box::new(Recorder(published)),
            Box::new(move |report| {
                told.send(report.clone()).ok();
            }),
        )
        .unwrap();
        let thread = Some(thread::spawn(move || control.run()));
        Self { folder, reports, generations, stop, thread }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Saves as editors do: all or nothing.
    fn save(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn report(&self) -> Report {
        self.reports.recv_timeout(PATIENCE).expect("a report")
    }

    fn published(&self) -> Published {
        match self.report() {
            Report::Published(published) => published,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        self.thread.take().map(JoinHandle::join);
    }
}

const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: in}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";

fn reviews(weight: i32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: reviews}}\nspec:\n  \
         hosts: [reviews]\n  http:\n  - route:\n    - destination: {{host: reviews, subset: v1}}\n      \
         weight: {weight}\n    - destination: {{host: reviews, subset: v2}}\n      weight: {}\n",
        100 - weight
    )
}

#[test]
fn a_save_becomes_one_generation() {
    let running = Running::start(&[("reviews.yaml", &reviews(80)), ("edge.yaml", GATEWAY)]);
    let first = running.published();
    assert_eq!((first.number, first.objects, first.units), (1, 2, 2));
    running.save("reviews.yaml", &reviews(50));
    let second = running.published();
    assert_eq!(second.number, 2);
    let text = second.summary.to_string();
    assert!(text.starts_with("reviews http[0] weights v1 80→50, v2 20→50 ("), "{text}");
    assert!(text.ends_with("reviews.yaml:9)"), "{text}");
    let generations: Vec<Generation> = running.generations.try_iter().collect();
    assert_eq!(generations.iter().map(|it| it.number).collect::<Vec<_>>(), [1, 2]);
    let gateway = ProxyId::Gateway("istio=in".into());
    assert_eq!(generations[1].proxies.keys().collect::<Vec<_>>(), [&ProxyId::Sidecar, &gateway]);
}

#[test]
fn a_broken_object_is_told_and_its_last_good_version_serves() {
    let running = Running::start(&[("reviews.yaml", &reviews(80))]);
    running.published();
    running.save("reviews.yaml", &reviews(80).replace("destination:", "destinaton:"));
    let Report::Unchanged { problems, .. } = running.report() else { panic!("published") };
    assert!(!problems.diagnostics.is_empty());
    assert_eq!(
        problems.kept.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["VirtualService default/reviews"]
    );

    // What is good beside it updates, and what was told is not told again.
    running.save("edge.yaml", GATEWAY);
    let second = running.published();
    assert_eq!((second.number, second.objects), (2, 2));
    assert!(second.problems.is_empty(), "{:?}", second.problems);

    running.save("reviews.yaml", &reviews(10));
    let text = running.published().summary.to_string();
    assert!(text.contains("v1 80→10"), "{text}");
}

#[test]
fn comments_publish_nothing() {
    let running = Running::start(&[("reviews.yaml", &reviews(80))]);
    running.published();
    running.save("reviews.yaml", &format!("# a note\n{}", reviews(80)));
    let Report::Unchanged { units, problems } = running.report() else { panic!("published") };
    assert_eq!(units.len(), 1);
    assert!(problems.is_empty());
    running.save("reviews.yaml", &reviews(70));
    assert_eq!(running.published().number, 2);
}

#[test]
fn an_empty_folder_is_published_and_filled_later() {
    let running = Running::start(&[]);
    let first = running.published();
    assert_eq!((first.number, first.objects), (1, 0));
    running.save("reviews.yaml", &reviews(80));
    assert_eq!(running.published().objects, 1);
    fs::remove_file(running.path("reviews.yaml")).unwrap();
    let third = running.published();
    assert_eq!((third.number, third.objects), (3, 0));
}

#[test]
fn the_mesh_config_of_the_config_map_changes_with_it() {
    let map = |domain: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\n\
             data:\n  mesh: |\n    trustDomain: {domain}\n"
        )
    };
    let running = Running::start(&[("mesh.yaml", &map("a"))]);
    running.published();
    running.save("mesh.yaml", &map("b"));
    let text = running.published().summary.to_string();
    assert!(text.starts_with("ConfigMap istio-system/istio changed"), "{text}");
}
