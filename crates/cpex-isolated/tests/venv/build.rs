//! What is built, when, and what becomes of the one before.

use std::fs;
use std::path::Path;

use cpex_isolated::venv::{Package, Recipe, Step, ensure, hold};

use crate::workshop::{Customer, Workshop, is_complete};

#[test]
fn an_environment_is_built_once_and_found_afterwards() {
    let workshop = Workshop::new();
    let mut customer = Customer::default();
    let first = ensure(&workshop.recipe, &mut customer).unwrap();
    assert!(!first.is_reused());
    assert!(is_complete(first.folder()));
    assert_eq!(customer.steps, [Step::Make, Step::Install, Step::Check, Step::Keep]);

    let mut customer = Customer::default();
    let second = ensure(&workshop.recipe, &mut customer).unwrap();
    assert!(second.is_reused());
    assert_eq!(second.folder(), first.folder());
    assert_eq!(second.python(), first.folder().join("bin/python"));
    assert_eq!(customer.steps, []);
    assert_eq!(customer.checked, [first.folder()], "what the host has may have changed");
    assert_eq!(workshop.installed(), 1);
}

/// Z3, and what it does not look at: interpreter, included files, indexes.
#[test]
fn whatever_it_is_made_of_changes_it_is_built_anew() {
    fn change(what: &str, does: impl FnOnce(&mut Recipe)) {
        let mut workshop = Workshop::new();
        let included = workshop.home().join("common.txt");
        fs::write(&included, "one\n").unwrap();
        fs::write(workshop.home().join("requirements.txt"), "-r common.txt\n").unwrap();
        workshop.build().unwrap();
        does(&mut workshop.recipe);
        assert!(!workshop.build().unwrap().is_reused(), "{what}");
        assert!(workshop.build().unwrap().is_reused(), "{what}");
    }
    change("requirements", |recipe| fs::write(recipe.home.join("requirements.txt"), "two\n").unwrap());
    change("included", |recipe| fs::write(recipe.home.join("common.txt"), "two\n").unwrap());
    change("no requirements", |recipe| recipe.requirements = None);
    change("manifest", |recipe| fs::write(recipe.home.join("manifest.yaml"), "name: x\n").unwrap());
    change("version", |recipe| recipe.manifest_version = "2.0".into());
    change("Python", |recipe| recipe.interpreter.version = "3.11.8".into());
    change("ABI", |recipe| recipe.interpreter.abi = "cpython-311-darwin".into());
    change("path", |recipe| recipe.interpreter.executable = "/opt/python3".into());
    change("index", |recipe| recipe.sources.index_url = Some("https://index/simple".into()));
    change("hashes", |recipe| recipe.sources.require_hashes = true);
    change("package", |recipe| recipe.packages.push(Package::Editable("/srv/plugin".into())));
}

#[test]
fn who_asks_changes_nothing() {
    let mut workshop = Workshop::new();
    let index = |user: &str| Some(format!("https://{user}@index/simple"));
    workshop.recipe.sources.index_url = index("me:one");
    workshop.build().unwrap();
    workshop.recipe.sources.index_url = index("me:two");
    workshop.recipe.sources.offline = true;
    assert!(workshop.build().unwrap().is_reused());
}

#[test]
fn an_environment_stays_as_long_as_somebody_runs_from_it() {
    let workshop = Workshop::new();
    let old = workshop.build().unwrap();
    let requirements = workshop.home().join("requirements.txt");
    fs::write(&requirements, "two\n").unwrap();
    let new = workshop.build().unwrap();
    assert_ne!(old.folder(), new.folder());
    assert!(is_complete(old.folder()));

    let (left, right) = (old.folder().to_owned(), new.folder().to_owned());
    drop((old, new));
    fs::write(&requirements, "three\n").unwrap();
    workshop.build().unwrap();
    assert!(!left.exists());
    assert!(!right.exists());
    assert_eq!(workshop.environments().len(), 1);
}

#[test]
fn who_may_go_back_keeps_them_all() {
    let workshop = Workshop::new();
    workshop.build().unwrap();
    let held = hold(workshop.home());
    fs::write(workshop.home().join("requirements.txt"), "two\n").unwrap();
    workshop.build().unwrap();
    fs::write(workshop.home().join("requirements.txt"), "some-package==1.0\n").unwrap();
    assert_eq!(workshop.build().unwrap().folder(), held[0].folder());
}

#[test]
fn who_wants_it_anew_gets_another_one() {
    let mut workshop = Workshop::new();
    let old = workshop.build().unwrap();
    workshop.recipe.anew = true;
    let new = workshop.build().unwrap();
    assert_ne!(old.folder(), new.folder());
    workshop.recipe.anew = false;
    assert_eq!(workshop.build().unwrap().folder(), new.folder(), "the newest one is found");
}

#[test]
fn the_packages_of_an_installer_come_with_the_requirements() {
    let mut workshop = Workshop::new();
    let archive = workshop.folder.path().join("plugin-1.0.whl");
    fs::write(&archive, "one").unwrap();
    workshop.recipe.packages =
        vec![Package::Archive(archive.clone()), Package::Editable("/srv/plugin".into())];
    workshop.build().unwrap();
    let requirements = workshop.home().join("requirements.txt");
    let told = format!("-r {} {} -e /srv/plugin", requirements.display(), archive.display());
    let commands = workshop.commands();
    assert!(commands[1].ends_with(&told), "{commands:?}");
    fs::write(&archive, "two").unwrap();
    assert!(!workshop.build().unwrap().is_reused(), "another archive of the same name");
}

#[test]
fn without_requirements_nothing_is_installed() {
    let mut workshop = Workshop::new();
    workshop.recipe.requirements = None;
    workshop.build().unwrap();
    assert_eq!(workshop.commands(), ["make"]);
}

#[test]
fn requirements_do_not_lead_out_of_the_folder() {
    let workshop = Workshop::new();
    let outside = workshop.folder.path().join("outside.txt");
    fs::write(&outside, "secret\n").unwrap();
    let requirements = workshop.home().join("requirements.txt");
    let refused = |text: &str| {
        fs::write(&requirements, text).unwrap();
        let error = workshop.build().unwrap_err().to_string();
        assert!(error.contains("leads out of the plugin's folder"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    };
    refused("-r ../outside.txt\n");
    refused(&format!("--constraint={}\n", outside.display()));
    std::os::unix::fs::symlink(&outside, workshop.home().join("link.txt")).unwrap();
    refused("-r link.txt\n");
    assert_eq!(workshop.environments(), Vec::<&Path>::new());
}
