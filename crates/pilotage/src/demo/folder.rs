//! The folder that the user edits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How the demo routes at first. The first line says what to do.
const REVIEWS: &str = "\
# Change a weight, save, and watch `pilotage demo`.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  - route:
    - destination:
        host: reviews
        subset: v1
      weight: 80
    - destination:
        host: reviews
        subset: v2
      weight: 20
    - destination:
        host: reviews
        subset: v3
      weight: 0
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
  - name: v1
    labels: {version: v1}
  - name: v2
    labels: {version: v2}
  - name: v3
    labels: {version: v3}
";

/// The way in from outside.
const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: bookinfo
spec:
  selector:
    istio: ingressgateway
  servers:
  - port: {number: 8080, name: http, protocol: HTTP}
    hosts: ['*']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: bookinfo
spec:
  hosts: ['*']
  gateways: [bookinfo]
  http:
  - match:
    - uri: {exact: /productpage}
    - uri: {prefix: /static}
    route:
    - destination: {host: productpage, port: {number: 9080}}
";

const FILES: [(&str, &str); 2] = [("reviews.yaml", REVIEWS), ("gateway.yaml", GATEWAY)];

/// What became of the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// Files that were written now.
    pub(crate) written: Vec<PathBuf>,
    /// Files that were there and differ from what would have been written. They stay.
    pub(crate) edited: Vec<PathBuf>,
}

/// The file to edit.
pub(crate) fn reviews(folder: &Path) -> PathBuf {
    folder.join("reviews.yaml")
}

/// Writes the files that are missing. No file that is there is ever touched.
///
/// # Errors
/// When the folder cannot be made or a file cannot be written or read.
pub(crate) fn prepare(folder: &Path) -> io::Result<Prepared> {
    fs::create_dir_all(folder)?;
    let mut prepared = Prepared::default();
    for (name, text) in FILES {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(found) if found == text.as_bytes() => {}
            Ok(_) => prepared.edited.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&path, text)?;
                prepared.written.push(path);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::bookinfo;

    #[test]
    fn the_files_are_good() {
        for (name, text) in FILES {
            let loaded = pilotage_config::load(name, text);
            assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
            assert_eq!(loaded.objects.len(), 2);
        }
    }

    #[test]
    fn nothing_is_wrong_with_the_whole() {
        use pilotage_control::identities::Identities;
        use pilotage_control::pipeline::Pipeline;

        let addresses =
            bookinfo::WORKLOADS.iter().map(|it| (*it, "127.0.0.1:3000".parse().unwrap()));
        let services = bookinfo::objects(&addresses.collect());
        let texts = FILES.into_iter().chain([("bookinfo", services.as_str())]);
        let objects = texts.flat_map(|(name, text)| pilotage_config::load(name, text).objects);
        let objects: Vec<_> = objects.map(std::sync::Arc::new).collect();
        let problems =
            Pipeline::new(Identities { sidecar: None, gateways: true }).problems(&objects);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn what_is_there_stays() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("demo");
        assert_eq!(prepare(&folder).unwrap().written.len(), 2);
        assert_eq!(prepare(&folder).unwrap(), Prepared::default());
        fs::write(reviews(&folder), "# mine\n").unwrap();
        fs::remove_file(folder.join("gateway.yaml")).unwrap();
        let prepared = prepare(&folder).unwrap();
        assert_eq!(prepared.edited, [reviews(&folder)]);
        assert_eq!(prepared.written, [folder.join("gateway.yaml")]);
        assert_eq!(fs::read_to_string(reviews(&folder)).unwrap(), "# mine\n");
    }
}
