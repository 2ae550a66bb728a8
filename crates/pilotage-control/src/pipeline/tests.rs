//! After any edits the pipeline says what one that remembers nothing says.

use pilotage_model::ProxyClass;

use super::*;

/// Objects that edits add, remove and exchange for other versions, as `kind name version`.
fn object(kind: usize, name: usize, version: usize) -> String {
    let istio = "apiVersion: networking.istio.io/v1";
    let weight = 10 + version * 20;
    let port = if version == 3 { "tcp" } else { "http" };
    match kind {
        0 => format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{name}, labels: {{v: v{version}}}}}\n\
             spec: {{clusterIP: {}, selector: {{app: s{name}}}, ports: [{{name: {port}, port: {}}}]}}\n",
            if version == 2 { "None".to_owned() } else { format!("10.0.{version}.{name}") },
            80 + version / 2,
        ),
        1 => format!(
            "{istio}\nkind: DestinationRule\nmetadata: {{name: s{name}}}\nspec: {{host: s{name}, trafficPolicy: \
             {{connectionPool: {{tcp: {{maxConnections: {weight}}}}}}}, subsets: [{{name: v1, labels: {{v: v1}}}}]}}\n"
        ),
        2 => format!(
            "{istio}\nkind: VirtualService\nmetadata: {{name: s{name}}}\nspec: {{hosts: [s{name}{}], \
             {}http: [{{route: [{{destination: {{host: s{name}, subset: v1}}, weight: {weight}}}, \
             {{destination: {{host: s{}}}, weight: {}}}]}}]{}}}\n",
            if version == 1 { ", other.test" } else { "" },
            if version == 2 { "gateways: [mesh, g1], " } else { "" },
            (name + 1) % 4,
            100 - weight,
            if version == 3 { ", tcp: [{route: [{destination: {host: s2}}]}]" } else { "" },
        ),
        3 => format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: s{name}, labels: {{kubernetes.io/service-name: s{name}}}}}\naddressType: IPv4\n\
             ports: [{{name: {port}, port: 8080}}]\nendpoints: [{{addresses: [10.1.{version}.{name}]}}]\n"
        ),
        4 => format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{name}, labels: {{app: s{name}, v: v{version}}}}}\n\
             status: {{podIP: 10.1.{version}.{name}}}\n"
        ),
        5 => format!(
            "{istio}\nkind: Gateway\nmetadata: {{name: g{name}}}\nspec: {{selector: {{app: g}}, servers: \
             [{{port: {{number: {}, name: http, protocol: HTTP}}, hosts: ['*']}}]}}\n",
            8000 + version
        ),
        6 => format!(
            "{istio}\nkind: ServiceEntry\nmetadata: {{name: e{name}}}\nspec: {{hosts: [e{name}.test], resolution: {}, \
             ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{{address: 10.2.{version}.{name}}}]}}\n",
            if version == 1 { "DNS" } else { "STATIC" }
        ),
        _ => format!(
            "{istio}\nkind: Sidecar\nmetadata: {{name: x{name}}}\nspec: {{egress: [{}{{hosts: ['./*']}}]}}\n",
            if version > 1 {
                "{hosts: ['*/*'], port: {number: 80, name: http, protocol: HTTP}}, "
            } else {
                ""
            }
        ),
    }
}

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn pipeline() -> Pipeline {
    let sidecar = ProxyClass { namespace: "default".into(), ..ProxyClass::default() };
    Pipeline::new(Identities { sidecar: Some(sidecar), gateways: true })
}

#[test]
fn remembering_changes_nothing() {
    let mut numbers = Numbers(7);
    let mut files: BTreeMap<(usize, usize), Arc<Object>> = BTreeMap::new();
    let mut mesh = MeshConfig::default();
    let mut remembering = pipeline();
    let (mut same, mut all) = (0, 0);
    for step in 0..400 {
        for _ in 0..=numbers.below(3) {
            // Sidecars change everything, and so are rare.
            let kind = if numbers.below(20) == 0 { 7 } else { numbers.below(7) };
            let (name, version) = (numbers.below(4), numbers.below(4));
            if numbers.below(5) == 0 {
                files.remove(&(kind, name));
                continue;
            }
            let text = object(kind, name, version);
            let mut loaded = pilotage_config::load("a.yaml", &text);
            assert!(!loaded.has_errors(), "{text}{:?}", loaded.diagnostics);
            files.insert((kind, name), Arc::new(loaded.objects.remove(0)));
        }
        if step % 50 == 49 {
            mesh.enable_auto_mtls = Some(step % 100 == 49);
        }
        let objects: Vec<Arc<Object>> = files.values().cloned().collect();
        let before: Vec<_> = remembering.last.values().map(|(_, set)| Arc::clone(set)).collect();
        let now = remembering.compile(&objects, &mesh);
        assert_eq!(now, pipeline().compile(&objects, &mesh), "step {step}");
        for (before, now) in before.iter().zip(now.values()) {
            let is_kept = |(name, cluster): (&String, &Arc<_>)| {
                before.clusters.get(name).is_some_and(|old| Arc::ptr_eq(old, cluster))
            };
            same += now.clusters.iter().filter(|found| is_kept(*found)).count();
            all += now.clusters.len();
        }
    }
    assert!(same > all / 2, "of {all} clusters only {same} were kept");
}

#[test]
fn an_equal_resource_is_the_very_same() {
    let objects = |weight: usize| -> Vec<Arc<Object>> {
        let text =
            [object(0, 0, 0), object(1, 0, 0), object(2, 0, weight), object(3, 0, 0)].join("---\n");
        pilotage_config::load("a.yaml", &text).objects.into_iter().map(Arc::new).collect()
    };
    let mut pipeline = pipeline();
    let mesh = MeshConfig::default();
    let first = pipeline.compile(&objects(0), &mesh);
    let second = pipeline.compile(&objects(1), &mesh);
    let (first, second) = (&first[&ProxyId::Sidecar], &second[&ProxyId::Sidecar]);
    assert!(!Arc::ptr_eq(&first.routes["80"], &second.routes["80"]));
    assert!(Arc::ptr_eq(&first.names, &second.names));
    for (name, cluster) in &first.clusters {
        assert!(Arc::ptr_eq(cluster, &second.clusters[name]), "{name}");
    }
    for (name, listener) in &first.listeners {
        assert!(Arc::ptr_eq(listener, &second.listeners[name]), "{name}");
    }
}
