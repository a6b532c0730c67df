//! What CPEX 0.1.4 sees, and leaves (Z2, Z3). That it does is tested with the package itself, in
//! `tests/integration/test_isolated_environment.py`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::workshop::{Workshop, is_complete};

const METADATA: &str = ".cpex/venv_cache/.venv_metadata.json";
const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OF_SOMETHING: &str = "a9d1f3c8b9b57e1b7a3ef9e56b50e4df37b1f1f9d4b0f6c8ae9cd66a8d0ae1ff";

fn metadata(workshop: &Workshop) -> Value {
    serde_json::from_slice(&fs::read(workshop.home().join(METADATA)).unwrap()).unwrap()
}

/// Leaves what CPEX 0.1.4 would have built.
fn build_theirs(workshop: &Workshop, change: impl FnOnce(&mut Value)) {
    let mut metadata = {
        workshop.build().unwrap();
        let mut ours = metadata(workshop);
        ours.as_object_mut().unwrap().retain(|key, _| key != "fingerprint" && key != "environment");
        ours
    };
    fs::remove_dir_all(workshop.home().join(".cpex")).unwrap();
    fs::remove_dir_all(workshop.home().join(".venv")).unwrap();
    change(&mut metadata);
    fs::create_dir_all(workshop.home().join(METADATA).parent().unwrap()).unwrap();
    fs::write(workshop.home().join(METADATA), metadata.to_string()).unwrap();
    fs::create_dir(workshop.home().join(".venv")).unwrap();
    fs::write(workshop.home().join(".venv/pyvenv.cfg"), "theirs").unwrap();
}

#[test]
fn its_file_says_what_the_environment_was_made_from() {
    let workshop = Workshop::new();
    let environment = workshop.build().unwrap();
    let mut written = metadata(&workshop);
    let ours = written.as_object_mut().unwrap();
    assert_eq!(ours.remove("fingerprint").unwrap().as_str().unwrap().len(), 64);
    assert_eq!(ours.remove("environment").unwrap(), environment.folder().to_str().unwrap());
    assert_ne!(ours.remove("requirements_hash").unwrap(), OF_NOTHING);
    let home = workshop.home();
    let expected = json!({
        "venv_path": home.join(".venv"),
        "requirements_file": home.join("requirements.txt"),
        "manifest_version": "1.0",
        "manifest_hash": OF_NOTHING,
        "python_version": "3.11.7",
    });
    assert_eq!(written, expected);
}

#[test]
fn its_folder_leads_to_the_newest_environment_and_can_be_removed() {
    let workshop = Workshop::new();
    let venv = workshop.home().join(".venv");
    for requirements in ["one\n", "two\n"] {
        fs::write(workshop.home().join("requirements.txt"), requirements).unwrap();
        let environment = workshop.build().unwrap();
        assert!(!venv.is_symlink(), "Python's rmtree does not remove a link");
        assert!(is_complete(&venv));
        let real = |path: &Path| path.canonicalize().unwrap();
        assert_eq!(real(&venv.join("pyvenv.cfg")), real(&environment.folder().join("pyvenv.cfg")));
    }
    fs::remove_dir_all(&venv).unwrap();
    let environment = workshop.build().unwrap();
    assert!(environment.is_reused());
    assert!(is_complete(environment.folder()));
}

#[test]
fn its_environment_is_taken_if_it_was_made_from_the_same() {
    let workshop = Workshop::new();
    build_theirs(&workshop, |_| {});
    let environment = workshop.build().unwrap();
    assert!(environment.is_reused());
    assert_eq!(environment.folder(), workshop.home().join(".venv"));
    assert_eq!(workshop.installed(), 1, "that of build_theirs");
}

#[test]
fn what_its_file_does_not_say_is_not_asked_for() {
    let workshop = Workshop::new();
    build_theirs(&workshop, |metadata| {
        let metadata = metadata.as_object_mut().unwrap();
        metadata.remove("manifest_version");
        metadata.remove("manifest_hash");
    });
    assert!(workshop.build().unwrap().is_reused());
}

#[test]
fn its_environment_is_replaced_otherwise() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 4] = [
        ("requirements", |metadata| metadata["requirements_hash"] = OF_SOMETHING.into()),
        ("version", |metadata| metadata["manifest_version"] = "0.9".into()),
        ("manifest", |metadata| metadata["manifest_hash"] = OF_SOMETHING.into()),
        ("Python", |metadata| metadata["python_version"] = "3.12.1".into()),
    ];
    for (what, change) in changes {
        let workshop = Workshop::new();
        build_theirs(&workshop, change);
        assert!(!workshop.build().unwrap().is_reused(), "{what}");
        assert!(is_complete(&workshop.home().join(".venv")), "{what}");
        assert_eq!(workshop.environments().len(), 1, "{what}");
    }
}

#[test]
fn what_was_not_checked_is_not_taken_where_hashes_are_required() {
    let mut workshop = Workshop::new();
    build_theirs(&workshop, |_| {});
    workshop.recipe.sources.require_hashes = true;
    assert!(!workshop.build().unwrap().is_reused());
}

#[test]
fn a_damaged_file_is_none() {
    let workshop = Workshop::new();
    build_theirs(&workshop, |_| {});
    fs::write(workshop.home().join(METADATA), "{").unwrap();
    assert!(!workshop.build().unwrap().is_reused());
}

#[test]
fn an_environment_of_somebody_else_is_left_alone() {
    let workshop = Workshop::new();
    let theirs = workshop.home().join(".venv/keep");
    fs::create_dir(workshop.home().join(".venv")).unwrap();
    fs::write(&theirs, "").unwrap();
    let environment = workshop.build().unwrap();
    assert!(is_complete(environment.folder()));
    assert!(theirs.exists());
    assert!(workshop.build().unwrap().is_reused());
}
