//! From a file to code that can be linked: read, checked, compiled.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmparser::{ComponentInstance, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wit_component::ComponentEncoder;

use crate::error::ConfigError;
use crate::guest::{Imports, PluginPre, State, bindings};

/// The largest file: those of languages that bring an interpreter have some tens of MiB.
const LARGEST: u64 = 128 << 20;

/// What a plugin may be made of: tools make a component or two of one, and another for each library.
const COMPONENTS: usize = 16;

/// The one interface that a plugin may import, without its version.
const LOG: &str = "cpex:plugin/log@";

/// Looks at the file of a plugin, and does not open it: that of a pipe waits for ever.
///
/// # Errors
/// If there is none, or it is too large.
pub(crate) fn look(path: &Path) -> Result<(), ConfigError> {
    let found = path.metadata().map_err(|error| cannot_be_read(path, &error))?;
    if found.is_file() {
        within_largest(found.len())
    } else {
        Err(problem(format!("{} is no file: expected that of a plugin, such as guard.wasm", path.display())))
    }
}

/// Reads the file of a plugin.
///
/// # Errors
/// If there is none, it is too large, or it is not the one that is expected.
pub(crate) fn read(path: &Path, sha256: Option<[u8; 32]>) -> Result<Vec<u8>, ConfigError> {
    look(path)?;
    let mut bytes = Vec::new();
    // It may have grown meanwhile.
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    within_largest(read.map_err(|error| cannot_be_read(path, &error))? as u64)?;
    match sha256 {
        Some(expected) if Sha256::digest(&bytes)[..] != expected => {
            Err(ConfigError::new("sha256", "the module is another: its SHA-256 is not this"))
        }
        _ => Ok(bytes),
    }
}

fn cannot_be_read(path: &Path, error: &std::io::Error) -> ConfigError {
    problem(format!("{} cannot be read: {error}", path.display()))
}

fn within_largest(bytes: u64) -> Result<(), ConfigError> {
    if bytes <= LARGEST {
        return Ok(());
    }
    Err(problem(format!("it is larger than {} MiB", LARGEST >> 20)))
}

/// Compiles a plugin, and links it to the only thing it may import.
///
/// # Errors
/// If it is none, or wants more.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<PluginPre<State>, ConfigError> {
    // Whatever is in the file, the host goes on.
    catch_unwind(AssertUnwindSafe(|| linked(engine, bytes)))
        .unwrap_or_else(|_| Err(problem("it cannot be compiled")))
}

fn linked(engine: &Engine, bytes: &[u8]) -> Result<PluginPre<State>, ConfigError> {
    let no_plugin = |error: wasmtime::Error| problem(format!("it is no plugin: {error:#}"));
    let wrapped;
    let bytes = if is_core_module(bytes) {
        wrapped = component(bytes)?;
        &wrapped
    } else {
        bytes
    };
    refuse_multiplication(bytes)?;
    let component = Component::from_binary(engine, bytes).map_err(no_plugin)?;
    refuse_other_imports(&component)?;
    let mut linker = Linker::new(engine);
    bindings::Plugin::add_to_linker::<_, Imports>(&mut linker, |state| state).map_err(no_plugin)?;
    PluginPre::new(linker.instantiate_pre(&component).map_err(no_plugin)?).map_err(no_plugin)
}

/// Components within components multiply: twenty that make the last one twice are a million, before anybody has counted
/// them. Few are no harm, however they are nested.
fn refuse_multiplication(bytes: &[u8]) -> Result<(), ConfigError> {
    let cannot = |error: wasmparser::BinaryReaderError| problem(format!("it is no plugin: {error}"));
    let (mut components, mut made) = (0, 0);
    for part in Parser::new(0).parse_all(bytes) {
        match part.map_err(cannot)? {
            Payload::ComponentSection { .. } => components += 1,
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    let instance = instance.map_err(cannot)?;
                    made += usize::from(matches!(instance, ComponentInstance::Instantiate { .. }));
                }
            }
            _ => {}
        }
        if components > COMPONENTS || made > COMPONENTS {
            return Err(problem(format!("it is made of more than {COMPONENTS} components")));
        }
    }
    Ok(())
}

fn refuse_other_imports(component: &Component) -> Result<(), ConfigError> {
    let imports: Vec<String> = component
        .component_type()
        .imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with(LOG))
        .collect();
    match imports.as_slice() {
        [] => Ok(()),
        imports => Err(problem(format!(
            "it imports {}, which no plugin gets: it may import cpex:plugin/log alone",
            imports.join(", ")
        ))),
    }
}

fn is_core_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

/// Makes a component of a core module that says in itself which world it is of, as `wit-bindgen` has it.
fn component(module: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let encoded =
        ComponentEncoder::default().module(module).and_then(|encoder| encoder.validate(false).encode());
    encoded.map_err(|error| problem(format!("no component can be made of this core module: {error:#}")))
}

fn problem(problem: impl Into<String>) -> ConfigError {
    ConfigError::new("module", problem)
}
