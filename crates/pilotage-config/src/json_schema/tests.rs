use super::*;

/// Whether `value` fits `schema`: of draft 7 as much as is generated here.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    let Value::Object(schema) = schema else { return schema != &Value::Bool(false) };
    let all = |list: &Value| list.as_array().unwrap().iter().all(|s| fits(value, s, root));
    let some =
        |list: &Value| list.as_array().unwrap().iter().filter(|s| fits(value, s, root)).count();
    schema.iter().all(|(keyword, wanted)| match keyword.as_str() {
        "$ref" => {
            let name = wanted.as_str().unwrap().strip_prefix("#/definitions/").unwrap();
            fits(value, &root["definitions"][name], root)
        }
        "type" => match wanted {
            Value::Array(types) => types.iter().any(|name| is_a(value, name.as_str().unwrap())),
            name => is_a(value, name.as_str().unwrap()),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "required" => value.as_object().is_none_or(|fields| {
            wanted
                .as_array()
                .unwrap()
                .iter()
                .all(|name| fields.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|fields| {
            fields.iter().all(|(name, value)| {
                wanted.get(name).is_none_or(|schema| fits(value, schema, root))
            })
        }),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            let known = schema.get("properties");
            let others =
                fields.iter().filter(|(name, _)| known.and_then(|k| k.get(*name)).is_none());
            others.into_iter().all(|(_, value)| fits(value, wanted, root))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|i| fits(i, wanted, root))),
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text)),
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "allOf" => all(wanted),
        "anyOf" => some(wanted) > 0,
        "oneOf" => some(wanted) == 1,
        "not" => !fits(value, wanted, root),
        "$schema" | "title" | "description" | "definitions" => true,
        other => panic!("{other} is not known here"),
    })
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other}"),
    }
}

fn route(rule: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "v"},
        "spec": {"hosts": ["a.test"], "http": [rule]},
    })
}

#[test]
fn good_objects_fit_their_kind_and_the_schema_of_all() {
    let rule = json!({
        "match": [{"headers": {"a": {"exact": "b"}, "c": null}, "port": 80}],
        "timeout": "1.5s",
        "route": [{"destination": {"host": "a.test", "port": {"number": "80"}}, "weight": 100}],
        "fault": {"delay": {"fixedDelay": "100ms", "percentage": {"value": 0.5}}},
    });
    let object = route(rule);
    for schema in [of_kind(KindName::VirtualService), of_all()] {
        assert!(fits(&object, &schema, &schema));
    }
    let gateway = of_kind(KindName::Gateway);
    assert!(!fits(&object, &gateway, &gateway));
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80, "unknown": true}]},
    });
    let all = of_all();
    assert!(fits(&service, &all, &all), "fields of Kubernetes that are not read pass");
}

#[test]
fn mistakes_do_not_fit() {
    let schemas = [of_kind(KindName::VirtualService), of_all()];
    let wrong = [
        json!({"route": [{"destinaton": {"host": "a.test"}}]}),
        json!({"timeout": 5}),
        json!({"timeout": "5 seconds"}),
        json!({"match": {"uri": {"prefix": "/"}}}),
        json!({"match": [{"uri": {"prefix": "/", "exact": "/"}}]}),
        json!({"match": [{"uri": "/"}]}),
        json!({"corsPolicy": {"unmatchedPreflights": "MAYBE"}}),
        json!({"route": [{"destination": {"host": "a.test", "port": {"number": -1}}}]}),
    ];
    for rule in wrong {
        for schema in &schemas {
            assert!(!fits(&route(rule.clone()), schema, schema), "{rule}");
        }
    }
    let nameless = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {}, "spec": {}});
    for schema in &schemas {
        assert!(!fits(&nameless, schema, schema));
    }
}

#[test]
fn every_field_says_what_it_is_for() {
    for kind in KindName::ALL.iter().filter(|kind| kind.is_istio()) {
        let schema = of_kind(*kind);
        for (name, definition) in schema["definitions"].as_object().unwrap() {
            for (field, schema) in definition["properties"].as_object().unwrap() {
                assert!(schema.get("description").is_some(), "{kind} {name}.{field}");
            }
        }
    }
}

#[test]
fn kinds_that_are_not_read_may_hold_anything() {
    let all = of_all();
    for (version, kind, expected) in [
        ("v1", "ServiceAccount", true),
        ("v1", "Service", false),
        ("apps/v1", "ControllerRevision", true),
        ("gateway.networking.k8s.io/v1", "Gateway", true),
        ("networking.istio.io/v1", "Gateway", false),
        ("networking.istio.io/v1", "Gatway", false),
        ("networking.istio.io/v1alpha3", "EnvoyFilter", true),
        ("security.istio.io/v1", "AuthorizationPolicy", true),
    ] {
        // Nothing that is read may have such a `spec`.
        let object =
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": 1});
        assert_eq!(fits(&object, &all, &all), expected, "{version} {kind}");
    }
}
