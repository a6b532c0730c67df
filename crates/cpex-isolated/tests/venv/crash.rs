//! Many processes at once, and processes that are killed.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cpex_isolated::venv::{Step, ensure};

use crate::workshop::{Customer, Workshop, is_complete, recipe_in};

const FOLDER: &str = "CPEX_TEST_BUILD_IN";

/// A process of its own that builds: this test, run by others.
#[test]
fn builder() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let environment = ensure(&recipe_in(Path::new(&folder)), &mut Customer::default()).unwrap();
    assert!(is_complete(environment.folder()));
}

fn start_builder(workshop: &Workshop) -> Child {
    let arguments = ["--exact", "crash::builder", "--nocapture"];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments).env(FOLDER, workshop.folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn assert_succeeds(mut builder: Child) {
    let mut said = String::new();
    builder.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(builder.wait().unwrap().success(), "{said}");
}

#[test]
fn eight_processes_at_once_build_once() {
    let workshop = Workshop::with("", "0.01");
    let builders = (0..8).map(|_| start_builder(&workshop)).collect::<Vec<_>>();
    builders.into_iter().for_each(assert_succeeds);
    assert_eq!(workshop.installed(), 1, "{:?}", workshop.commands());
    assert_eq!(workshop.environments().len(), 1);
}

/// Whenever it is killed: what passes for an environment is one.
#[test]
fn a_killed_build_leaves_no_half_environment() {
    for after in (0..12).map(|step| Duration::from_millis(step * 30)) {
        let workshop = Workshop::with("", "0.005");
        let mut builder = start_builder(&workshop);
        thread::sleep(after);
        builder.kill().unwrap();
        builder.wait().unwrap();
        for environment in workshop.environments() {
            let is_sealed = environment.join("cpex-environment.json").exists();
            assert!(!is_sealed || is_complete(&environment), "killed after {after:?}");
        }
        let venv = workshop.home().join(".venv");
        assert!(!venv.join("pyvenv.cfg").exists() || is_complete(&venv), "killed after {after:?}");
        let environment = workshop.build().unwrap();
        assert!(is_complete(environment.folder()), "killed after {after:?}");
        assert_eq!(workshop.environments().len(), 1, "killed after {after:?}");
    }
}

/// The installer goes on when its host is killed. Until it has ended nobody removes what it writes to.
#[test]
fn who_comes_after_a_killed_host_waits_for_its_installer() {
    let workshop = Workshop::new();
    let (started, go) = (workshop.folder.path().join("started"), workshop.folder.path().join("go"));
    let waits = format!("touch {}; while [ ! -e {} ]; do sleep 0.01; done", started.display(), go.display());
    workshop.installs(&waits, "0");
    let mut builder = start_builder(&workshop);
    while !started.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    builder.kill().unwrap();
    builder.wait().unwrap();
    let mut customer = Customer { gives_up_at: Some(Step::Wait), ..Customer::default() };
    ensure(&workshop.recipe, &mut customer).unwrap_err();
    assert_eq!(customer.steps, [Step::Wait]);
    fs::write(&go, "").unwrap();
    assert!(is_complete(workshop.build().unwrap().folder()));
    assert_eq!(workshop.environments().len(), 1);
}

#[test]
fn a_full_disk_leaves_no_half_environment() {
    // No file may grow any more.
    let workshop = Workshop::with("ulimit -f 0", "0");
    let error = workshop.build().unwrap_err();
    assert_eq!(error.step(), Step::Install);
    assert_eq!(workshop.environments().len(), 0);
}

#[test]
fn an_environment_in_a_folder_that_cannot_be_written_is_found() {
    use std::os::unix::fs::PermissionsExt;

    let workshop = Workshop::new();
    let folder = workshop.build().unwrap().folder().to_owned();
    let state = workshop.home().join(".cpex");
    let set = |mode| fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    File::open(folder.join("pyvenv.cfg")).unwrap();
    let found = workshop.build();
    set(0o755);
    assert_eq!(found.unwrap().folder(), folder);
}
