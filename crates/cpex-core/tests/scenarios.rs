//! The table of scenarios, run by the simulated driver.

use cpex_testkit::scenarios::{self, Expected};
use cpex_testkit::world;

#[test]
fn every_scenario_ends_as_the_semantics_say() {
    for scenario in scenarios::all() {
        let run = world::run(&scenario.case);
        assert_eq!(Expected::from(&run), scenario.expected, "{}: {}", scenario.cites, scenario.says);
    }
}

#[test]
fn each_plugin_is_shown_what_the_chain_has_made_of_the_payload() {
    let vector = scenarios::all().into_iter().find(|scenario| scenario.cites == "P23").unwrap();
    let seen =
        [("y", "t"), ("z", "ty"), ("a", "tyz"), ("t", "tyza"), ("u", "tyzat"), ("c", "tyzat"), ("f", "t")];
    assert_eq!(world::run(&vector.case).seen(), seen);
}
