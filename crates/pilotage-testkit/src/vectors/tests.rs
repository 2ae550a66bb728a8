use std::collections::BTreeMap;

use serde_json::json;

use super::{AREAS, Asker, Case, Exchange, Request, area, format, oracle};
use crate::facets::{Message, Verdict, compare};

fn small() -> Case {
    let verdict = Verdict {
        kind: "Gateway".into(),
        name: "g".into(),
        namespace: "edge".into(),
        valid: false,
        errors: vec!["no servers".into()],
        warnings: vec![],
    };
    Case {
        name: "gw-small".into(),
        title: "a title with: all 'sorts' | of \"signs\"".into(),
        fixtures: vec!["reviews".into()],
        mesh: Some(json!({"enableAutoMtls": false})),
        input: "a: 1\n\n  # indented\n".into(),
        proxies: vec![Asker { name: "client".into(), kind: "gateway".into(), ..Asker::default() }],
        verdicts: vec![verdict],
        messages: vec![Message {
            code: "IST0101".into(),
            level: "Error".into(),
            origin: "VirtualService default/a b".into(),
        }],
        exchanges: vec![Exchange {
            request: Request { proxy: "client".into(), port: 80, ..Request::default() },
            destination: "10.0.0.1:80".into(),
            recorded: json!({"outcomes": [{"status": 200, "route": "@odd"}]}),
        }],
        resources: BTreeMap::from([("client".into(), json!({"routes": [{"name": "80"}]}))]),
    }
}

#[test]
fn a_case_comes_back_as_it_was_packed() {
    let cases = vec![small(), Case { name: "gw-empty".into(), ..Case::default() }];
    let packed = format::write(&cases).unwrap();
    assert_eq!(format::read(&packed).unwrap(), cases);
    assert_eq!(format::write(&cases).unwrap(), packed, "the same cases give the same bytes");
}

#[test]
fn a_damaged_file_is_noticed() {
    let packed = format::write(&[small()]).unwrap();
    assert!(format::read(&packed[..packed.len() / 2]).is_err());
    assert!(format::read(b"pilotage-vectors 1\n").is_err());
}

#[test]
fn every_area_has_cases_with_resources_for_every_asker() {
    for (name, _) in AREAS {
        let cases = area(name);
        assert!(cases.len() >= 15, "{name} has {} cases", cases.len());
        for case in cases {
            let asked: Vec<&String> = case.resources.keys().collect();
            let mut askers: Vec<&String> = case.proxies.iter().map(|p| &p.name).collect();
            askers.sort();
            assert_eq!(asked, askers, "{}", case.name);
            assert!(!case.input.is_empty() && !case.files().is_empty(), "{}", case.name);
        }
    }
}

/// Where the recording is at hand, the vectors must say the same in every facet.
#[test]
fn packing_loses_nothing_that_a_facet_looks_at() {
    let Some(recording) = oracle::recording() else {
        eprintln!("skipped: the recording is not beside this checkout");
        return;
    };
    let mut compared = 0;
    for case in area("sc").iter().chain(&area("gw")) {
        let istio = recording.join("cases").join(&case.name).join("istio");
        for (proxy, packed) in &case.resources {
            let text = std::fs::read_to_string(istio.join(format!("{proxy}.json"))).unwrap();
            let recorded = serde_json::from_str(&text).unwrap();
            for (facet, differences) in compare(&recorded, packed) {
                assert!(differences.is_empty(), "{} {}: {differences:?}", case.name, facet.name());
            }
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} dumps were compared");
}
