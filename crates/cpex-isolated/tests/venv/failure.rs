//! Builds that fail, take too long, or that nobody wants any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cpex_isolated::venv::{BuildError, Installer, Step, ensure};

use crate::workshop::{Customer, Workshop};

/// What is left of a failed build: nothing.
fn assert_nothing(workshop: &Workshop) {
    assert_eq!(workshop.environments(), Vec::<&Path>::new());
    assert!(!workshop.home().join(".venv").exists());
}

#[test]
fn a_failure_tells_step_command_code_and_the_last_lines_without_credentials() {
    let failing = "i=0; while [ $i -lt 3000 ]; do echo line $i of a long text >&2; i=$((i + 1)); done\n\
        echo 'no such package at https://me:hunter2@index/simple' >&2; exit 7";
    let mut workshop = Workshop::with(failing, "0");
    workshop.recipe.sources.index_url = Some("https://me:hunter2@index/simple".into());
    let error = workshop.build().unwrap_err();
    assert_eq!(error.step(), Step::Install);
    assert_eq!(error.exit_code(), Some(7));
    assert_eq!(
        error.to_string(),
        "install failed (exit code 7): no such package at https://***@index/simple"
    );
    assert!(error.command().unwrap().contains("--index-url=https://***@index/simple"), "{error:?}");
    assert_eq!(error.stderr().lines().count(), 40);
    assert!(error.stderr().starts_with("line 2961 of"), "{}", error.stderr());
    assert!(!format!("{error:?}").contains("hunter2"));
    assert_nothing(&workshop);
    workshop.installs("", "0");
    workshop.build().unwrap();
}

#[test]
fn secrets_of_the_environment_are_not_quoted() {
    let mut workshop = Workshop::with("echo \"token $CARGO_MANIFEST_DIR, $CARGO_PKG_NAME\" >&2; exit 1", "0");
    workshop.recipe.pass_env = vec!["CARGO_MANIFEST_DIR".into()];
    assert_eq!(workshop.build().unwrap_err().stderr(), "token ***, ", "one is passed, one is not");
}

#[test]
fn an_installer_that_is_not_there_is_named() {
    let mut workshop = Workshop::new();
    workshop.recipe.installer = Installer::Uv("/nowhere/uv".into());
    let error = workshop.build().unwrap_err();
    assert!(matches!(error, BuildError::NotStarted { step: Step::Make, .. }), "{error:?}");
    assert!(error.to_string().starts_with("make failed: cannot start /nowhere/uv venv"), "{error}");
    assert_nothing(&workshop);
}

/// What it has started is ended, too: it would hold the lock.
#[test]
fn a_build_that_takes_too_long_is_ended() {
    let mut workshop = Workshop::with("exec 3<&0; sleep 600 <&3 & echo waiting >&2; sleep 600", "0");
    workshop.recipe.time_limit = Duration::from_millis(500);
    let error = workshop.build().unwrap_err();
    assert!(matches!(error, BuildError::TimedOut { step: Step::Install, .. }), "{error:?}");
    assert_eq!(error.stderr(), "waiting");
    assert_nothing(&workshop);
    workshop.recipe.time_limit = Duration::from_secs(60);
    workshop.installs("", "0");
    workshop.build().unwrap();
}

#[test]
fn a_build_that_nobody_wants_is_ended() {
    let workshop = Workshop::with("sleep 600", "0");
    let mut customer = Customer { gives_up_at: Some(Step::Install), ..Customer::default() };
    let error = ensure(&workshop.recipe, &mut customer).unwrap_err();
    assert!(matches!(error, BuildError::Cancelled { step: Step::Install }), "{error:?}");
    assert_nothing(&workshop);
}

#[test]
fn what_cannot_be_used_is_not_kept() {
    let workshop = Workshop::new();
    let mut customer = Customer { refuses: Some("cpex needs pydantic>=2.12"), ..Customer::default() };
    let error = ensure(&workshop.recipe, &mut customer).unwrap_err();
    assert_eq!(error.to_string(), "the environment cannot be used: cpex needs pydantic>=2.12");
    assert_eq!(error.step(), Step::Check);
    assert_nothing(&workshop);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let mut workshop = Workshop::new();
    let file = workshop.folder.path().join("file");
    fs::write(&file, "").unwrap();
    workshop.recipe.home = file.join("plugin");
    let error = workshop.build().unwrap_err().to_string();
    assert!(error.contains("/file/plugin: Not a directory"), "{error}");
}
