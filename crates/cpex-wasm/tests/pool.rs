//! As many calls run at a time as there are places, whatever their plugins are made of.

mod guests;

use std::task::{Context, Waker};

use guests::{call, guest, load, loaded};

#[test]
fn a_call_runs_in_each_place() {
    let plugin = loaded(&guest("(loop $again (br $again)) unreachable"), r#", "instances": 1000"#);
    let call = call("{}");
    let mut task = Context::from_waker(Waker::noop());
    let running: Vec<_> = (0..1000)
        .map(|number| {
            let mut running = Box::pin(plugin.invoke(&call));
            let polled = running.as_mut().poll(&mut task);
            assert!(polled.is_pending(), "call {number}: {polled:?}");
            running
        })
        .collect();
    drop(running);
    assert!(Box::pin(plugin.invoke(&call)).as_mut().poll(&mut task).is_pending());
}

#[test]
fn no_plugin_takes_the_places_of_others() {
    let tables = r#"(component
        (core module $part (table 1 funcref))
        (core instance (instantiate $part)) (core instance (instantiate $part)) (core instance (instantiate $part))
        (core instance (instantiate $part)) (core instance (instantiate $part)))"#;
    let memories = r#"(component
        (core module $part (memory 1))
        (core instance (instantiate $part)) (core instance (instantiate $part)))"#;
    let part = "(core instance (instantiate $part))".repeat(33);
    let parts = format!("(component (core module $part) {part})");
    for (component, too_many) in
        [(tables, "5 tables"), (memories, "2 Wasm linear memories"), (&parts, "33 core module")]
    {
        let problem = load(&wat::parse_str(component).expect("a component"), "").err().expect("a problem");
        assert!(problem.problem.contains(too_many), "{problem}");
    }
}
