//! A gigabyte in each direction, over HTTP/1 and HTTP/2: all of it arrives, and the proxy does not grow.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::harness::Up;

const BODY: u64 = 1 << 30;
/// How much the proxy may grow meanwhile, in KiB. What is under way is bounded by windows and buffers of some hundred KiB.
const GROWTH_KIB: u64 = 24 << 10;

#[test]
fn a_gigabyte_passes_in_bounded_memory() {
    let services = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: store}}\nspec:\n  \
         hosts: [store.test]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
         endpoints: [{{address: 127.0.0.1, ports: {{http: {}}}}}]\n",
        store().port()
    );
    let up = Up::start(&[("services.yaml", services)]);
    let url = format!("{}/file", up.url("mesh"));
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        // The first requests make what stays: connections and buffers.
        assert_eq!(upload(version, &url, 1 << 20), "1048576");
        let before = peak_kib(up.id());
        assert_eq!(upload(version, &url, BODY), BODY.to_string(), "{version}");
        assert_eq!(download(version, &url), BODY, "{version}");
        let growth = peak_kib(up.id()).zip(before).map(|(after, before)| after - before);
        assert!(growth.is_none_or(|kib| kib < GROWTH_KIB), "{version}: {growth:?} KiB more");
    }
}

/// A service that says how many bytes it got, or gives [`BODY`] bytes.
fn store() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || while serve(&stream).is_ok_and(|again| again) {});
        }
    });
    address
}

/// Serves one request; whether there may be another.
fn serve(mut stream: &TcpStream) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    if head.starts_with("GET") {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n")?;
        io::copy(&mut io::repeat(0).take(BODY), &mut stream)?;
    } else {
        let got = chunks(&mut reader)?.to_string();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{got}", got.len())?;
    }
    Ok(!head.is_empty())
}

/// Reads a chunked body; its length.
fn chunks(reader: &mut BufReader<&TcpStream>) -> io::Result<u64> {
    let mut all = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        io::copy(&mut reader.take(size), &mut io::sink())?;
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(all);
        }
        all += size;
    }
}

fn curl(version: &str, url: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "", "--max-time", "300"]);
    command.args([version, "--header", "host: store.test", url]);
    command
}

/// Sends so many bytes without saying how many; gives the answer.
fn upload(version: &str, url: &str, bytes: u64) -> String {
    let mut source = Command::new("head")
        .args(["-c", &bytes.to_string(), "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut command = curl(version, url);
    command.args(["--upload-file", "-", "--header", "expect:"]);
    let output = command.stdin(source.stdout.take().unwrap()).output().unwrap();
    source.wait().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gets the file; its length.
fn download(version: &str, url: &str) -> u64 {
    let arguments = ["--output", "/dev/null", "--write-out", "%{size_download}"];
    let output = curl(version, url).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

/// The most memory that the process has ever had, in KiB; nothing where the system does not say.
fn peak_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
