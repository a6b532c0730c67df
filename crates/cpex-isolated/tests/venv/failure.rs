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
    let last = (2995..3000).map(|line| format!("\n  line {line} of a long text")).collect::<String>();
    assert_eq!(
        error.to_string(),
        format!(
            "install of {} failed (exit code 7):{last}\n  no such package at https://***@index/simple",
            workshop.home().join("requirements.txt").display()
        )
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
fn what_says_nothing_of_the_failure_is_left_out() {
    let written = "printf 'Using Python 3\\nResolved 1 package\\n\\nno \\033[1msolution\\n\\n' >&2; exit 1";
    let mut workshop = Workshop::with(written, "0");
    workshop.recipe.sources.offline = true;
    let error = workshop.build().unwrap_err().to_string();
    let told = "failed (exit code 1); `offline` is set, so no index was asked: no \u{fffd}[1msolution";
    assert!(error.ends_with(told), "{error}");
    workshop.installs(
        "for n in 2 1 0; do echo WARNING: Retrying $n >&2; done; echo ERROR: no index >&2; exit 1",
        "0",
    );
    let error = workshop.build().unwrap_err().to_string();
    assert!(error.ends_with(":\n  WARNING: Retrying 2\n  ERROR: no index"), "{error}");
    workshop.installs("head -c 1000 /dev/zero | tr '\\0' x >&2; exit 1", "0");
    let error = workshop.build().unwrap_err().to_string();
    assert!(error.ends_with(&format!(": {}…", "x".repeat(300))), "{error}");
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
fn what_was_built_in_vain_is_not_built_again() {
    let mut workshop = Workshop::new();
    let refuse = |workshop: &Workshop, is_lasting| {
        let mut customer = Customer { refuses: Some("too old"), is_lasting, ..Customer::default() };
        ensure(&workshop.recipe, &mut customer).unwrap_err().to_string()
    };
    refuse(&workshop, false);
    let told = refuse(&workshop, true);
    assert_eq!(workshop.installed(), 2, "the first may be otherwise the next time");
    let record = workshop.home().join(".cpex/refused.json");
    let remembered = format!("something of it changes, or {} is deleted", record.display());
    assert!(
        told.starts_with("the environment cannot be used: too old; ") && told.ends_with(&remembered),
        "{told}"
    );
    let error = workshop.build().unwrap_err();
    assert_eq!((error.to_string(), error.step()), (told, Step::Check));
    assert_eq!(workshop.installed(), 2);
    fs::write(workshop.home().join("requirements.txt"), "some-package==1.1\n").unwrap();
    assert_eq!(workshop.build().unwrap().folder().parent(), Some(&*workshop.home().join(".cpex/venvs")));
    assert!(!record.exists(), "what is there can be used");
    workshop.recipe.manifest_version = "2.0".into();
    refuse(&workshop, true);
    fs::write(&record, "{").unwrap();
    workshop.build().unwrap();
    workshop.recipe.manifest_version = "3.0".into();
    refuse(&workshop, true);
    workshop.recipe.anew = true;
    workshop.build().unwrap();
}

/// What the guard does is its own matter; it is no part of the command that a failure tells of.
#[test]
fn commands_run_behind_the_guard() {
    let mut workshop = Workshop::with("exit 9", "0");
    let log = workshop.folder.path().join("guarded");
    let guard = format!("echo $1 >> {}; exec \"$@\"", log.display());
    workshop.recipe.guard = ["/bin/sh", "-c", &guard, "guard"].map(Into::into).to_vec();
    let error = workshop.build().unwrap_err();
    assert_eq!(error.exit_code(), Some(9));
    let uv = workshop.folder.path().join("uv").display().to_string();
    assert!(error.command().unwrap().starts_with(&format!("{uv} pip install")), "{error:?}");
    assert_eq!(fs::read_to_string(log).unwrap(), format!("{uv}\n{uv}\n"));
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
