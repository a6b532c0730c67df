//! The generated messages are those of `proto/cpex.proto`. `CPEX_UPDATE=1` writes them anew.

use std::path::Path;
use std::{env, fs};

use prost::Message;

/// `google.protobuf.Struct` is the crate's own type: it holds encoded bytes and builds no tree.
const STRUCT: (&str, &str) = (".google.protobuf.Struct", "crate::wire::Struct");

#[test]
fn the_generated_messages_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(["cpex.proto"], [root.join("proto")]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let encoded = descriptors.encode_to_vec();
    tonic_prost_build::configure()
        .out_dir(out.path())
        .extern_path(STRUCT.0, STRUCT.1)
        .btree_map(".")
        .build_transport(false)
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .compile_fds(descriptors)
        .unwrap();
    let generated = fs::read_to_string(out.path().join("cpex.rs")).unwrap();
    let (checked_in, descriptors) = (root.join("src/wire/cpex.rs"), root.join("src/wire/cpex.fds"));
    if env::var_os("CPEX_UPDATE").is_some() {
        fs::write(&checked_in, &generated).unwrap();
        fs::write(&descriptors, &encoded).unwrap();
    }
    assert!(fs::read(descriptors).unwrap() == encoded, "src/wire/cpex.fds is not what proto/cpex.proto says");
    assert!(
        fs::read_to_string(checked_in).unwrap() == generated,
        "src/wire/cpex.rs is not what proto/cpex.proto says: run CPEX_UPDATE=1 cargo test -p cpex-remote --test generated"
    );
}
