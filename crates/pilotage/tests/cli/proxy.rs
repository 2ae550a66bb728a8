//! `pilotage proxy`: an Envoy bootstrap, checked and served.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::support::{Folder, pilotage};

const GOOD: &str = r#"
node: {id: edge, cluster: edge}
admin:
  address:
    socket_address: {address: 127.0.0.1, port_value: 0}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /hello}
                direct_response: {status: 200, body: {inline_string: hello}}
              - match: {prefix: /}
                route: {cluster: backend}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 1s
"#;

/// What `--mode validate` says of `text`.
fn validate(text: &str) -> (i32, String, String) {
    let folder = Folder::new();
    folder.write("envoy.yaml", text);
    let path = folder.file("envoy.yaml");
    let path = path.display().to_string();
    let done = pilotage(&["proxy", "-c", &path, "--mode", "validate"]);
    (done.code, done.stdout.replace(&path, "FILE"), done.stderr.replace(&path, "FILE"))
}

/// `text` with one part exchanged is refused with exactly these problems: a place and the beginning of the rest.
#[track_caller]
fn refused(from: &str, to: &str, wanted: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let (code, stdout, stderr) = validate(&GOOD.replace(from, to));
    assert_eq!((code, stdout.as_str()), (65, ""), "{stderr}");
    let flat = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in wanted {
        assert!(flat.contains(part), "{part}\n{stderr}");
    }
    let count = wanted.iter().filter(|part| part.starts_with("FILE:")).count();
    assert_eq!(stderr.matches("FILE:").count(), count, "{stderr}");
}

#[test]
fn a_sound_file_is_ok_as_envoy_says_it() {
    assert_eq!(validate(GOOD), (0, "configuration 'FILE' OK\n".to_owned(), String::new()));
}

#[test]
fn the_format_of_the_access_log_may_be_a_source() {
    let log = |format: &str| {
        let kind = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
        GOOD.replace(
            "          stat_prefix: front\n",
            &format!(
                "          stat_prefix: front\n          access_log:\n          - name: log\n            \
                 typed_config: {{\"@type\": {kind}, log_format: {{{format}}}}}\n"
            ),
        )
    };
    let said = validate(&log(r#"text_format_source: {inline_string: "%RESPONSE_CODE%\n"}"#));
    assert_eq!(said, (0, "configuration 'FILE' OK\n".to_owned(), String::new()));
    let (code, _, stderr) = validate(&log("text_format_source: {filename: /format}"));
    let flat = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 65, "{stderr}");
    assert!(flat.contains("text_format_source.filename: `/format`: No such file"), "{stderr}");
    assert!(stderr.contains("error[PIL0202]"), "{stderr}");
}

#[test]
fn json_will_do() {
    let text = r#"{"staticResources": {"clusters": [{"name": "a", "connectTimeout": "1s"}]}}"#;
    assert_eq!(validate(text).0, 0);
}

#[test]
fn an_unknown_field_is_told_with_its_place_and_neighbour() {
    refused(
        "stat_prefix: front",
        "stat_prefx: front",
        &[
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.stat_prefx:",
            "error[PIL0201]",
            "FILE:15:11",
            "did you mean `stat_prefix`?",
        ],
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = GOOD
        .replace("connect_timeout: 1s", "connect_timeout: soon")
        .replace("http.router.v3.Router", "http.lua.v3.Lua")
        .replace("prefix: /hello", "prefix: /hello, path: /x");
    let (code, _, stderr) = validate(&text);
    assert_eq!(code, 65);
    for line in ["FILE:21:41", "FILE:28:24", "FILE:32:22", "3 problems"] {
        assert!(stderr.contains(line), "{line}\n{stderr}");
    }
}

#[test]
fn what_is_lacking_is_an_error() {
    refused(
        "node: {id: edge, cluster: edge}",
        "dynamic_resources: {ads_config: {api_type: GRPC}}",
        &["FILE:2:21", "dynamic_resources.ads_config: there is no client of control planes yet"],
    );
    refused(
        "name: envoy.filters.http.router",
        "name: envoy.filters.http.lua",
        &["FILE:26:", "HTTP filter envoy.filters.http.lua is not supported"],
    );
    refused(
        "route: {cluster: backend}",
        "route: {cluster: backnd}",
        &["FILE:24:34", "there is no cluster `backnd`"],
    );
}

#[test]
fn junk_is_refused_with_a_place() {
    assert_eq!(validate("").0, 65);
    assert_eq!(validate("[]").0, 65);
    assert_eq!(validate("--- {}\n--- {}\n").0, 65);
    let (code, _, stderr) = validate("static_resources: [\n");
    assert_eq!(code, 65);
    assert!(stderr.contains("FILE:1:19"), "{stderr}");
}

#[test]
fn a_missing_file_is_bad_data_and_no_file_is_misuse() {
    let done = pilotage(&["proxy", "-c", "/nowhere/envoy.yaml"]);
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("there is no such file"), "{}", done.stderr);
    let done = pilotage(&["proxy"]);
    assert_eq!(done.code, 64);
    assert_eq!(done.stderr, "error: no configuration: name an Envoy bootstrap with -c FILE\n");
}

#[test]
fn text_of_the_command_line_is_merged_over_the_file() {
    let folder = Folder::new();
    folder.write("envoy.yaml", GOOD);
    let path = folder.file("envoy.yaml");
    let path = path.to_str().unwrap();
    let check =
        |text: &str| pilotage(&["proxy", "-c", path, "--mode", "validate", "--config-yaml", text]);
    let done = check("static_resources: {clusters: [{name: more, connect_timeout: 1s}]}");
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let done = check("static_resources: {clusters: [{name: backend}]}");
    assert_eq!(done.code, 65);
    assert!(done.stderr.contains("--config-yaml:1:38"), "{}", done.stderr);
}

/// A proxy that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_static_resources_are_served() {
    let folder = Folder::new();
    folder.write("envoy.yaml", GOOD);
    let admin_path = folder.file("admin");
    let mut child = Command::new(env!("CARGO_BIN_EXE_pilotage"))
        .args(["proxy", "-c"])
        .arg(folder.file("envoy.yaml"))
        .args(["--concurrency", "1", "--log-level", "error", "--admin-address-path"])
        .arg(&admin_path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let _running = Running(child);
    let mut front = None;
    for line in stdout.lines().map_while(Result::ok) {
        if let Some(rest) = line.trim().strip_prefix("listener") {
            front = rest.split_whitespace().next().map(str::to_owned);
        }
        if line.ends_with("serving") {
            break;
        }
    }
    let front = front.unwrap().parse().unwrap();
    let ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        pilotage_testkit::wire::ask(front, request.as_bytes()).unwrap().unwrap()
    };
    let hello = ask("/hello");
    assert_eq!((hello.status(), hello.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(ask("/other").body, b"no healthy upstream");
    let admin = std::fs::read_to_string(admin_path).unwrap().parse().unwrap();
    let ready = b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(pilotage_testkit::wire::ask(admin, ready).unwrap().unwrap().status(), 200);
}

#[test]
fn a_port_in_use_is_named_with_its_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    let listener =
        "  - name: front\n    address: {socket_address: {address: 127.0.0.1, port_value: ";
    folder
        .write("envoy.yaml", &GOOD.replace(&format!("{listener}0"), &format!("{listener}{port}")));
    let path = folder.file("envoy.yaml");
    let done = pilotage(&["proxy", "-c", path.to_str().unwrap()]);
    assert_eq!(done.code, 1);
    let wanted = format!("envoy.yaml:9:5: cannot listen on 127.0.0.1:{port}");
    assert!(done.stderr.contains(&wanted), "{}", done.stderr);
}
