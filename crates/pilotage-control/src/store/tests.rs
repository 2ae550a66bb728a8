use super::*;

/// A VirtualService whose one rule goes to `host`, or is broken when that is empty.
fn route(name: &str, host: &str) -> String {
    let destination =
        if host.is_empty() { "destinaton: {}" } else { &format!("destination: {{host: {host}}}") };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\n\
         spec: {{hosts: [{name}], http: [{{route: [{{{destination}}}]}}]}}\n---\n"
    )
}

fn load(store: &mut Store, unit: &str, text: &str) {
    store.load(unit.into(), pilotage_config::load(unit, text));
    store.settle();
}

/// The objects in force, as `name→host`.
fn in_force(store: &Store) -> Vec<String> {
    let describe = |object: &Arc<Object>| {
        let pilotage_config::Kind::VirtualService(service) = &object.body else {
            panic!("{object}")
        };
        let host = &service.http[0].route[0].destination.as_ref().unwrap().host;
        format!("{}→{host}", object.name())
    };
    store.objects().values().map(describe).collect()
}

#[test]
fn a_unit_replaces_its_objects_and_takes_them_with_it() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &(route("x", "one") + &route("z", "one")));
    assert_eq!(in_force(&store), ["x→one", "z→one"]);
    load(&mut store, "a.yaml", &route("z", "two"));
    assert_eq!(in_force(&store), ["z→two"]);
    store.remove("a.yaml");
    let settled = store.settle();
    assert_eq!((settled.before.len(), settled.after.len()), (1, 0));
    assert!(in_force(&store).is_empty());
}

#[test]
fn a_broken_object_keeps_its_last_good_version_and_the_rest_updates() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &(route("x", "one") + &route("z", "one")));
    load(&mut store, "a.yaml", &(route("x", "") + &route("z", "two")));
    assert_eq!(in_force(&store), ["x→one", "z→two"]);
    assert_eq!(store.kept_objects().count(), 1);
    // Still broken after another edit.
    load(&mut store, "a.yaml", &route("x", ""));
    assert_eq!(in_force(&store), ["x→one"]);
    load(&mut store, "a.yaml", &route("x", "three"));
    assert_eq!(in_force(&store), ["x→three"]);
    assert_eq!(store.kept_objects().count(), 0);
}

#[test]
fn a_broken_object_that_was_never_good_is_left_out() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &(route("x", "") + &route("z", "one")));
    assert_eq!(in_force(&store), ["z→one"]);
    assert!(store.problems().count() > 0);
}

#[test]
fn what_did_not_change_is_the_very_same_and_not_told() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &(route("x", "one") + &route("z", "one")));
    let first: Vec<_> = store.in_order().to_vec();
    let text = route("x", "one") + &route("z", "two");
    store.load("a.yaml".into(), pilotage_config::load("a.yaml", &text));
    let settled = store.settle();
    let names: Vec<&str> = settled.after.keys().map(|reference| &*reference.name).collect();
    assert_eq!(names, ["z"]);
    assert!(Arc::ptr_eq(&first[0], &store.in_order()[0]));
    // What only moves says the same and is told from what changes by whoever compares.
    store.load("a.yaml".into(), pilotage_config::load("a.yaml", &format!("# new\n{text}")));
    let settled = store.settle();
    assert_eq!(settled.after.len(), 2);
    let x = &store.in_order()[0];
    assert!(!Arc::ptr_eq(&first[0], x) && first[0].body == x.body);
    assert_eq!(x.source.span.line, 2);
}

#[test]
fn a_definition_that_comes_back_into_force_is_found() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &route("x", "one"));
    load(&mut store, "b.yaml", &(route("x", "two") + &route("z", "two")));
    assert_eq!(in_force(&store), ["x→two", "z→two"]);
    store.remove("b.yaml");
    store.settle();
    assert_eq!(in_force(&store), ["x→one"]);
    assert!(store.duplicates().is_empty());
    let order: Vec<&str> = store.in_order().iter().map(|object| object.name()).collect();
    assert_eq!(order, ["x"]);
}

#[test]
fn unreadable_text_deletes_nothing() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &(route("x", "one") + &route("z", "one")));
    load(&mut store, "a.yaml", &format!("kind: [\n---\n{}", route("z", "two")));
    assert_eq!(in_force(&store), ["x→one", "z→two"]);
    store.load(
        "a.yaml".into(),
        pilotage_config::load_bytes("a.yaml", b"\xff\x00", &Default::default()),
    );
    store.settle();
    assert_eq!(in_force(&store), ["x→one", "z→two"]);
}

#[test]
fn an_object_that_is_renamed_and_broken_keeps_what_stood_there() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &route("x", "one"));
    load(&mut store, "a.yaml", &route("renamed", ""));
    assert_eq!(in_force(&store), ["x→one"]);
}

#[test]
fn an_object_that_moves_and_breaks_keeps_its_last_good_version() {
    let mut store = Store::default();
    load(&mut store, "a.yaml", &route("x", "one"));
    store.load("b.yaml".into(), pilotage_config::load("b.yaml", &route("x", "")));
    store.remove("a.yaml");
    store.settle();
    assert_eq!(in_force(&store), ["x→one"]);
    load(&mut store, "b.yaml", "");
    assert!(in_force(&store).is_empty());
}

#[test]
fn the_later_of_two_definitions_counts() {
    let mut store = Store::default();
    load(&mut store, "b.yaml", &route("x", "two"));
    load(&mut store, "a.yaml", &route("x", "one"));
    assert_eq!(in_force(&store), ["x→two"]);
    let [duplicate] = store.duplicates() else { panic!("{:?}", store.duplicates()) };
    assert_eq!(
        (duplicate.used.to_string(), duplicate.unused.to_string()),
        ("b.yaml:1".into(), "a.yaml:1".into())
    );
}
