//! What a contained program can do with files.
#![cfg(target_os = "linux")]

mod world;

use world::{BOTH, World};

#[test]
fn reads_no_file_of_the_host() {
    let world = World::new();
    world.keeps_from("import os; open(os.environ['WORLD'] + '/secret.txt').read(); print('done')", &BOTH);
    world.keeps_from("import os; os.listdir(os.environ['WORLD']); print('done')", &BOTH);
    world.keeps_from("import os; open('/proc/' + os.environ['HOST'] + '/environ').read(); print('done')", &BOTH);
}

#[test]
fn runs_at_all() {
    let world = World::new();
    for policy in BOTH {
        let came = world.run(policy, "print('done')");
        assert!(came.done(), "{came:?}");
    }
}
