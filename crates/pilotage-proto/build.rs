//! Compiles `proto/` with a pure-Rust compiler: no `protoc` on the machine is needed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("proto");
    println!("cargo:rerun-if-changed=proto");
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();

    let set = protox::compile(&files, [root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&set))?;
    generate(set)
}

/// The metadata of a route stays encoded in the Rust types: as messages, its maps would take more memory than all the
/// rest of the route, of which a mesh has thousands. It is read only to tell people where a route comes from.
const ROUTE: &str = "envoy.config.route.v3.Route";
const METADATA: &str = "metadata";

fn generate(mut set: FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    let (package, route) = ROUTE.rsplit_once('.').ok_or("a name with its package")?;
    let files = set.file.iter_mut().filter(|file| file.package() == package);
    let messages = files.flat_map(|file| &mut file.message_type).filter(|m| m.name() == route);
    let field = messages.flat_map(|message| &mut message.field).find(|f| f.name() == METADATA);
    let field = field.ok_or("a route has no metadata")?;
    field.set_type(Type::Bytes);
    field.type_name = None;

    let mut config = prost_build::Config::new();
    // Names for `Any`, ordered maps because output must not depend on hash order.
    config.enable_type_names().btree_map(["."]).bytes([format!(".{ROUTE}.{METADATA}")]);
    config.include_file("messages.rs").compile_fds(set)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
