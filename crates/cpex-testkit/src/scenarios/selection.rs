//! Who takes part (P2), and the conditions (C1-C5).

use cpex_core::Phase::Sequential;
use cpex_core::condition::Unmet;
use cpex_core::record::Fate::{Ran, Skipped};
use cpex_core::record::Skip;

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin, Proposal};
use crate::when::{Asked, When};

const NORTH: Asked = Asked { tenant_id: Some("north"), ..Asked::NOTHING };
const TENANT: When = When::tenant("north");
const SERVER: When = When { server_id: Some("s1"), ..When::ANY };
const TYPE: When = When { content_type: Some("text/html"), ..When::ANY };
const USER: When = When { user_pattern: Some("ali"), ..When::ANY };
const TOOL: When = When { tool: Some("t"), ..When::ANY };

pub(super) fn table() -> Vec<Scenario> {
    [parts(), lists(), others()].concat()
}

fn guard(when: &'static [When]) -> Plugin {
    Plugin::new("a", Sequential).when(when)
}

fn runs(cites: &'static str, says: &str, asked: Asked, when: &'static [When]) -> Scenario {
    rule(cites, says, Case { asked, ..Case::of(&[guard(when)]) }, Expected::completed(&[("a", Ran)]))
}

fn skips(cites: &'static str, says: &str, asked: Asked, when: &'static [When], unmet: Unmet) -> Scenario {
    // Would it run, the pipeline would end with an error.
    let case = Case { asked, ..Case::of(&[guard(when).does(Does::Fail)]) };
    rule(cites, says, case, Expected::completed(&[("a", Skipped(Skip::Condition(unmet)))]))
}

fn parts() -> Vec<Scenario> {
    let server = |id| Asked { server_id: Some(id), ..Asked::NOTHING };
    let typed = |text| Asked { content_type: Some(text), ..Asked::NOTHING };
    let user = |name| Asked { user: Some(name), ..Asked::NOTHING };
    const OTHER_TENANT: When = When::tenant("south");
    const OTHER_TOOL: When = When { tool: Some("other"), ..When::ANY };
    vec![
        runs("C2", "for its server", server("s1"), &[SERVER]),
        skips("C2", "a name is compared as a whole", server("s11"), &[SERVER], Unmet::Server),
        skips("C2", "nobody's server is no server", Asked::NOTHING, &[SERVER], Unmet::Server),
        runs("C2", "for its tenant", NORTH, &[TENANT]),
        skips("C2", "for no other tenant", NORTH, &[OTHER_TENANT], Unmet::Tenant),
        runs("C3", "a media type has no case and no parameters", typed("Text/HTML; charset=utf-8"), &[TYPE]),
        skips("C3", "for no other media type", typed("text/plain"), &[TYPE], Unmet::ContentType),
        skips("C3", "an unknown media type is none", Asked::NOTHING, &[TYPE], Unmet::ContentType),
        runs("C4", "a pattern is part of a name", user("alice"), &[USER]),
        skips("C4", "for no other user", user("bob"), &[USER], Unmet::User),
        skips("C4", "nobody has no name", Asked::NOTHING, &[USER], Unmet::User),
        runs("C5", "for its tool", Asked::NOTHING, &[TOOL]),
        skips("C5", "for no other tool", Asked::NOTHING, &[OTHER_TOOL], Unmet::Subject),
    ]
}

fn lists() -> Vec<Scenario> {
    const BOTH: When = When { server_id: Some("s1"), tenant_id: Some("north"), ..When::ANY };
    let both = Asked { server_id: Some("s1"), ..NORTH };
    vec![
        runs("C1", "a condition without parts fits all", Asked::NOTHING, &[When::ANY]),
        runs("C1", "one condition of several is enough", NORTH, &[SERVER, TENANT]),
        runs("C1", "every part of a condition fits", both, &[BOTH]),
        skips("C1", "one part that does not fit is enough", NORTH, &[BOTH], Unmet::Server),
    ]
}

fn others() -> Vec<Scenario> {
    const RENAMED: When = When { tool: Some("ta"), ..When::ANY };
    vec![
        rule(
            "P2",
            "conditions are asked of what the caller passed, whatever plugins make of it",
            Case::of(&[
                Plugin::new("a", Sequential).proposes(Proposal::Name),
                Plugin::new("b", Sequential).when(&[TOOL]),
                Plugin::new("c", Sequential).when(&[RENAMED]).does(Does::Fail),
            ]),
            Expected::completed(&[("c", Skipped(Skip::Condition(Unmet::Subject))), ("a", Ran), ("b", Ran)])
                .given(&[("a", "t"), ("b", "ta")])
                .payload("ta", &["a"]),
        ),
        rule(
            "P2, M20",
            "nobody who is out of service, whatever the conditions say",
            Case {
                asked: NORTH,
                ..Case::of(&[
                    Plugin { disabled: true, ..guard(&[TENANT]) },
                    Plugin::new("b", Sequential).when(&[TENANT]),
                ])
            },
            Expected::completed(&[("a", Skipped(Skip::Disabled)), ("b", Ran)]),
        ),
        rule(
            "P2",
            "if all are skipped it is completed",
            Case::of(&[Plugin { disabled: true, ..guard(&[]) }]),
            Expected::completed(&[("a", Skipped(Skip::Disabled))]),
        ),
    ]
}
