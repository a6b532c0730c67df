//! The table of scenarios, run by the simulated driver.

use cpex_testkit::scenarios::{self, Expected};
use cpex_testkit::world;

#[test]
fn every_scenario_ends_as_the_semantics_say() {
    let mut wrong = Vec::new();
    for scenario in scenarios::all() {
        let found = Expected::from(&world::run(&scenario.case));
        if found != scenario.expected {
            let scenarios::Scenario { cites, says, expected, .. } = scenario;
            wrong.push(format!("{cites}: {says}\nexpected {expected:#?}\nfound {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
