//! Which requests a condition matches (C1–C6).

use cpex_core::condition::{Named, Spec, Subject, Unmet, User, check_any, normalize_content_type};
use cpex_core::{Condition, Facts};

const TOOL: &str = "tool_pre_invoke";

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[track_caller]
fn check(hook: &str, spec: &Spec, facts: &Facts<'_>, expected: Result<(), Unmet>) {
    assert_eq!(Condition::new(spec, hook).check(facts), expected, "{hook} {spec:?}");
}

#[test]
fn c1_no_conditions_or_an_empty_one_always_match() {
    assert_eq!(check_any(&[], &Facts::NONE), Ok(()));
    check(TOOL, &Spec::default(), &Facts::NONE, Ok(()));
}

#[test]
fn c1_one_of_several_is_enough_and_the_last_says_what_was_missing() {
    let north = Condition::new(&Spec { tenant_ids: list(&["north"]), ..Spec::default() }, TOOL);
    let s1 = Condition::new(&Spec { server_ids: list(&["s1"]), ..Spec::default() }, TOOL);
    let conditions = [north, s1];
    let at = |tenant_id, server_id| {
        check_any(
            &conditions,
            &Facts { tenant_id: Some(tenant_id), server_id: Some(server_id), ..Facts::NONE },
        )
    };
    assert_eq!(at("north", "s2"), Ok(()));
    assert_eq!(at("south", "s1"), Ok(()));
    assert_eq!(at("south", "s2"), Err(Unmet::Server));
}

#[test]
fn c1_all_parts_of_one_must_match() {
    let spec = Spec { server_ids: list(&["s1"]), tenant_ids: list(&["north"]), ..Spec::default() };
    let at = |server, tenant| Facts { server_id: Some(server), tenant_id: Some(tenant), ..Facts::NONE };
    check(TOOL, &spec, &at("s1", "north"), Ok(()));
    check(TOOL, &spec, &at("s2", "north"), Err(Unmet::Server));
    check(TOOL, &spec, &at("s1", "south"), Err(Unmet::Tenant));
}

#[test]
fn c2_servers_and_tenants_are_named_exactly() {
    let spec = Spec { tenant_ids: list(&["north", "South"]), ..Spec::default() };
    for (tenant_id, expected) in [
        (Some("north"), Ok(())),
        (Some("South"), Ok(())),
        (Some("south"), Err(Unmet::Tenant)),
        (Some("nort"), Err(Unmet::Tenant)),
        (Some(""), Err(Unmet::Tenant)),
        (None, Err(Unmet::Tenant)),
    ] {
        check(TOOL, &spec, &Facts { tenant_id, ..Facts::NONE }, expected);
    }
}

#[test]
fn c3_content_types_are_compared_without_case_and_parameters() {
    for (configured, content_type, matches) in [
        ("application/json", Some("application/json"), true),
        ("Application/JSON; charset=utf-8", Some(" application/json;q=1"), true),
        ("application/json", Some("APPLICATION/JSON"), true),
        ("application/json", Some("text/html"), false),
        ("application/json", Some("application/json+x"), false),
        ("application/json", Some("  ; charset=utf-8"), false),
        ("application/json", Some(""), false),
        ("application/json", None, false),
        ("", Some(""), false),
        ("x/ΟΔΟΣ", Some("X/οδος"), true),
        ("x/ΟΔΟΣ", Some("x/ΟΔΟΣ"), true),
    ] {
        let spec = Spec { content_types: list(&[configured]), ..Spec::default() };
        let expected = if matches { Ok(()) } else { Err(Unmet::ContentType) };
        check(TOOL, &spec, &Facts { content_type, ..Facts::NONE }, expected);
    }
}

#[test]
fn c4_user_patterns_are_parts_of_a_name_or_whole_keys_of_a_record() {
    let spec = Spec { user_patterns: list(&["alice", "@corp"]), ..Spec::default() };
    let has_email = |key: &str| key == "@corp";
    let has_name = |key: &str| key == "alice@home";
    for (user, expected) in [
        (User::Name("alice@home"), Ok(())),
        (User::Name("bob@corp.example"), Ok(())),
        (User::Name("bob"), Err(Unmet::User)),
        (User::Keys(&has_email), Ok(())),
        (User::Keys(&has_name), Err(Unmet::User)),
        (User::Unknown, Err(Unmet::User)),
    ] {
        check(TOOL, &spec, &Facts { user, ..Facts::NONE }, expected);
    }
}

#[test]
fn c5_each_set_of_names_is_tested_on_its_own_hooks() {
    let spec = Spec {
        tools: list(&["tool"]),
        prompts: list(&["prompt"]),
        resources: list(&["resource"]),
        agents: list(&["agent"]),
        ..Spec::default()
    };
    for (hook, field, matching) in [
        ("tool_pre_invoke", Some("name"), "tool"),
        ("tool_post_invoke", Some("name"), "tool"),
        ("token_delegate", Some("target_name"), "tool"),
        ("identity_resolve", Some("raw_token"), "tool"),
        ("prompt_pre_fetch", Some("prompt_id"), "prompt"),
        ("prompt_post_fetch", Some("prompt_id"), "prompt"),
        ("resource_pre_fetch", Some("uri"), "resource"),
        ("resource_post_fetch", Some("uri"), "resource"),
        ("agent_pre_invoke", Some("agent_id"), "agent"),
        ("agent_post_invoke", Some("agent_id"), "agent"),
        ("cmf.tool_pre_invoke", None, "anything"),
        ("http_pre_request", None, "anything"),
        ("email_pre_send", None, "anything"),
    ] {
        let other = if field.is_some() { Err(Unmet::Subject) } else { Ok(()) };
        assert_eq!(Subject::of_hook(hook).map(|(_, field)| field), field, "{hook}");
        check(hook, &spec, &Facts { named: Named::Text(matching), ..Facts::NONE }, Ok(()));
        check(hook, &spec, &Facts { named: Named::Text("other"), ..Facts::NONE }, other);
        check(hook, &spec, &Facts { named: Named::Opaque, ..Facts::NONE }, other);
        check(hook, &spec, &Facts { named: Named::Nothing, ..Facts::NONE }, Ok(()));
    }
}

#[test]
fn c6_the_request_can_be_checked_without_the_payload() {
    let spec = Spec { tools: list(&["tool"]), tenant_ids: list(&["north"]), ..Spec::default() };
    let condition = Condition::new(&spec, TOOL);
    let at = |tenant| Facts { tenant_id: Some(tenant), named: Named::Text("other"), ..Facts::NONE };
    assert_eq!(condition.check_request(&at("north")), Ok(()));
    assert_eq!(condition.check_request(&at("south")), Err(Unmet::Tenant));
}

#[test]
fn c6_content_types_are_normalised() {
    for (content_type, expected) in
        [("Text/HTML; charset=x", "text/html"), ("  A/B  ", "a/b"), (";x", ""), ("", "")]
    {
        assert_eq!(normalize_content_type(content_type), expected);
    }
}
