//! Test files of istio-config-validator.

use crate::support::{Folder, pilotage};

const SERVICE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /users}}]
    route: [{destination: {host: users}}]
  - route: [{destination: {host: rest}}]
";

const TESTS: &str = "\
testCases:
- description: users have a service of their own
  wantMatch: true
  request:
    authority: [shop.test]
    method: [GET, POST]
    uri: [/users, /users/1]
  route:
  - destination:
      host: users
";

#[test]
fn they_run_on_the_virtual_services_given() {
    let folder = Folder::new();
    folder.write("service.yaml", SERVICE);
    folder.write("tests.yml", TESTS);
    let path = |name: &str| folder.file(name).display().to_string();
    let (service, tests) = (path("service.yaml"), path("tests.yml"));
    let done = pilotage(&["test", "-f", &service, &tests]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.starts_with("4 tests: 4 passed\ncoverage: 1 of 2 rules"),
        "{}",
        done.stdout
    );

    folder.write("tests.yml", &TESTS.replace("host: users", "host: rest"));
    let done = pilotage(&["test", "-f", &service, &tests]);
    assert_eq!(done.code, 79);
    for part in
        ["route      expected rest", "got      users", "shop/shop http[0]", "service.yaml:7"]
    {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }

    assert_eq!(pilotage(&["test", &tests]).code, 64);
    folder.write("tests.yml", &TESTS.replace("wantMatch", "wantsMatch"));
    let done = pilotage(&["test", "-f", &service, &tests]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("did you mean `wantMatch`?"), "{}", done.stderr);
}
