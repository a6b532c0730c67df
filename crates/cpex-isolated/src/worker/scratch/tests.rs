#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn names(parent: &Path) -> Vec<PathBuf> {
    fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A host that was killed holds no lock any more.
fn left_behind(parent: &Path) -> PathBuf {
    let path = parent.join(format!("{PREFIX}left"));
    fs::create_dir_all(path.join("deep/deeper")).unwrap();
    fs::write(path.join("deep/file"), "x").unwrap();
    fs::set_permissions(path.join("deep"), Permissions::from_mode(0o000)).unwrap();
    path
}

#[test]
fn it_goes_with_its_host_or_with_the_next_one() {
    let parent = tempfile::tempdir().unwrap();
    let left = left_behind(parent.path());
    let scratch = Scratch::new(parent.path()).unwrap();
    assert!(!left.exists());
    fs::create_dir(scratch.plugins().join("folder")).unwrap();
    drop(scratch);
    assert_eq!(names(parent.path()), Vec::<PathBuf>::new());
}

/// As deep as no path is long, no stack is and not so many files may be open.
#[test]
fn no_depth_keeps_it() {
    const DEPTH: usize = 5_000;
    let parent = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(parent.path()).unwrap();
    // From the innermost to the outermost: the path of each is short.
    let (inner, outer) = (scratch.plugins().join("inner"), scratch.plugins().join("outer"));
    fs::create_dir(&inner).unwrap();
    for _ in 0..DEPTH {
        fs::create_dir(&outer).unwrap();
        fs::rename(&inner, outer.join("inner")).unwrap();
        fs::rename(&outer, &inner).unwrap();
    }
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let few = rustix::process::Rlimit { current: Some(256), ..open };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
    drop(scratch);
    rustix::process::setrlimit(rustix::process::Resource::Nofile, open).unwrap();
    assert_eq!(names(parent.path()), Vec::<PathBuf>::new());
}

#[test]
fn that_of_a_host_that_lives_stays() {
    let parent = tempfile::tempdir().unwrap();
    let first = Scratch::new(parent.path()).unwrap();
    let second = Scratch::new(parent.path()).unwrap();
    assert!(first.path().exists() && second.path().exists());
    let elsewhere = parent.path().join(format!("{PREFIX}link"));
    std::os::unix::fs::symlink(first.path(), &elsewhere).unwrap();
    drop(Scratch::new(parent.path()).unwrap());
    assert!(first.path().exists() && elsewhere.is_symlink(), "what is no folder is somebody else's");
}
