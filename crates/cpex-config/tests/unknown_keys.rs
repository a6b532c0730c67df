//! Unknown keys are found where they stand, with the key that was probably meant.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use cpex_config::{Environment, Keys, Templates, load, slip_of};

fn known(pairs: impl IntoIterator<Item = (&'static str, Keys)>) -> Keys {
    Keys::Known(pairs.into_iter().map(|(key, keys)| (key.to_owned(), keys)).collect::<BTreeMap<_, _>>())
}

fn plugin_file() -> Keys {
    let condition = known([("server_ids", Keys::Free), ("tenant_ids", Keys::Free)]);
    let plugin = known([
        ("name", Keys::Free),
        ("on_error", Keys::Free),
        ("config", Keys::Free),
        ("conditions", Keys::Each(Box::new(condition))),
    ]);
    known([("plugins", Keys::Each(Box::new(plugin))), ("plugin_dirs", Keys::Free)])
}

fn check(text: &str, expected: &[&str]) {
    let environment = Environment::from([("X".to_owned(), "secret".to_owned())]);
    let document = load(text, "k.yaml", Templates::Values(&environment)).unwrap();
    let problems = document.unknown_keys(&plugin_file());
    let found: Vec<String> =
        problems.iter().map(|problem| format!("{} {problem}", problem.position)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn known_keys_and_free_subtrees_pass() {
    check(
        "plugins:\n- name: a\n  config: {anything: {goes: 1}}\n  conditions: [{tenant_ids: [a]}]\nplugin_dirs: []\n",
        &[],
    );
    check("", &[]);
    check("[1]", &[]);
    check("plugins: 5\n", &[]);
}

#[test]
fn unknown_keys_come_with_place_and_suggestion() {
    check("plugin: []\n", &["1:1 unknown key \"plugin\"; did you mean \"plugins\"?"]);
    check(
        "plugins:\n- name: a\n  onerror: x\n",
        &["3:3 unknown key \"onerror\" in plugins[0]; did you mean \"on_error\"?"],
    );
    check("plugins: [{Name: a}]\n", &["1:12 unknown key \"Name\" in plugins[0]; did you mean \"name\"?"]);
    check("zzz: 1\n", &["1:1 unknown key \"zzz\"; nothing reads it"]);
    check("1: 1\n", &["1:1 unknown key \"1\"; nothing reads it"]);
    check("{{ env.X }}: 1\n", &["1:1 unknown key \"{{ … }}\"; nothing reads it"]);
    check(
        "plugins: [{conditions: [{tenants_ids: []}]}]\n",
        &["1:26 unknown key \"tenants_ids\" in plugins[0].conditions[0]; did you mean \"tenant_ids\"?"],
    );
}

#[test]
fn a_shared_subtree_is_reported_once() {
    check(
        "plugins:\n- &a {nam: x}\n- *a\n",
        &[
            "2:7 unknown key \"nam\" in plugins[0]; did you mean \"name\"?",
            "2:7 unknown key \"nam\" in plugins[1]; did you mean \"name\"?",
        ],
    );
}

/// Two letters are a slip. Whole words more are another name, also if they have no more letters than that.
#[test]
fn a_slip_is_no_other_name() {
    let slip = |word| slip_of(word, ["tool_pre_invoke", "tool_post_invoke", "tool"].into_iter());
    for word in [
        "tool_pre_invok",
        "tool_pre_ivnoke",
        "tool_pre_invokes",
        "tool_pre_invok_v",
        "xtool_pre_invoke",
        "toolpreinvoke",
        "Tool_Pre_Invoke",
        "tool-pre-invoke",
        "tool_pre_invoke_",
        "_tool_pre_invoke",
        "tool_pre_invoke2",
    ] {
        assert_eq!(slip(word), Some("tool_pre_invoke"), "{word}");
    }
    for word in [
        "tool_pre_invoke_v2",
        "tool_pre_invoke.v2",
        "v2_tool_pre_invoke",
        "a.tool_pre_invoke_b",
        "tool_post_invoke_2",
        "tool_é",
        "model_pre_invoke",
        "pre_tool_invoke",
        "before_all",
        "",
    ] {
        assert_eq!(slip(word), None, "{word}");
    }
    assert_eq!(slip_of("-a", ["", "_"].into_iter()), None);
}
