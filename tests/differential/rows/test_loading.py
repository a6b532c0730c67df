"""What is loaded, and from what (B5–B8, B19, B21, B30–B33, C7, C8, C10, C13, C14, C29, C30, C32, C33)."""

from typing import Any

import pytest

from . import loading
from .conftest import Probe, RunBoth
from .outcome import Raised

row = pytest.mark.row
COMPAT = {"PLUGINS_COMPAT": "0.1.4"}
ENVIRONMENT = {"SECRET": "a&b", "PORT": "8080", "EVIL": "x\n    admin: true"}
NO_EXTRA: dict[str, Any] = {}


@row("B5")
def test_values_of_the_environment(run_both: RunBoth) -> None:
    written = "    password: {{ env.SECRET }}\n    port: {{ env.PORT }}\n    evil: {{ env.EVIL }}"
    here = {"password": "a&b", "port": 8080, "evil": "x\n    admin: true"}
    there = {"password": "a&amp;b", "port": 8080, "evil": "x", "admin": True}
    assert run_both(loading.configured, written, **ENVIRONMENT) == (here, there)
    assert run_both(loading.configured, written, **ENVIRONMENT, **COMPAT) == (there, there)
    escaped = {"v": "a&amp;b"}
    assert run_both(loading.configured, "    v: {{ env.SECRET|e }}", **ENVIRONMENT) == (escaped, escaped)


MISSPELT = "plugins:\n- name: a\n  kind: a.B\n  priorty: 1\n"
REPEATED = "plugins:\n- name: a\n  kind: a.B\n  kind: a.C\n"


@row("B6")
@pytest.mark.parametrize(
    ("text", "place", "hint"), [(MISSPELT, "plugins.yaml:4:3", "priority"), (REPEATED, "plugins.yaml:4:3", "duplicate")]
)
def test_keys(run_both: RunBoth, text: str, place: str, hint: str) -> None:
    ours, published = run_both(loading.warnings_of, text)
    assert published == []
    assert len(ours) == 1 and place in ours[0] and hint in ours[0]
    strictly = run_both(loading.refusal, text, PLUGINS_STRICT_CONFIG="true")
    assert strictly.published == ["", ""]
    assert strictly.ours[0] == "ConfigKeyError" and place in strictly.ours[1]


@row("C30")
def test_a_file_that_does_not_exist(run_both: RunBoth) -> None:
    warning = "/absent.yaml: there is no such file; the configuration is empty, and no plugin will run"
    assert run_both(loading.absent_file) == ([[], [warning]], [[], []])


@row("C32")
def test_misspelt_policies(run_both: RunBoth) -> None:
    here = [
        'hook_policies: unknown hook "tool_pre_invok"; did you mean "tool_pre_invoke"?',
        'hook_policies: tool_pre_invoke: ToolPreInvokePayload has no field "argz"; did you mean "args"?',
    ]
    assert run_both(loading.misspelt_policies) == (here, [])


@row("C33")
@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("STRICT_CONFIG", "ture", "must be 'true' or 'false', not 'ture'; did you mean \"true\"?"),
        ("COMPAT", "0.1.5", "must be '0.1.4' or unset, not '0.1.5'"),
        ("ISOLATION", "alway", "must be 'always' or 'default', not 'alway'; did you mean \"always\"?"),
        ("EXECUTION_DETAIL", "all", "must be 'full' or 'default', not 'all'"),
        ("EXTENSION_TIERS", "of", "must be 'enforce', 'warn', 'off' or 'default', not 'of'; did you mean \"off\"?"),
    ],
)
def test_our_variables(run_both: RunBoth, variable: str, value: str, text: str) -> None:
    here = ["ValueError", f"PLUGINS_{variable} {text}"]
    assert run_both(loading.manager_with_variables, **{f"PLUGINS_{variable}": value}) == (here, [])


@row("C33")
@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("DEFAULT_HOOK_POLICY", "dney", "Input should be 'allow' or 'deny'; did you mean \"deny\"?"),
        ("FAIL_ON_PLUGIN_ERROR", "maybe", "Input should be a valid boolean, unable to interpret input"),
    ],
)
def test_variables_of_both(run_both: RunBoth, variable: str, value: str, text: str) -> None:
    ours, published = run_both(loading.manager_with_variables, **{f"PLUGINS_{variable}": value})
    says = f"PLUGINS_{variable}: {text}"
    assert ours == [says, "ValidationError", says]
    assert published[0] == "ValidationError" and f"PLUGINS_{variable}" not in published[1]


TABLE: list[Any] = [
    pytest.param(loading.missing_guard, [NO_EXTRA], [True, None], [True, None], marks=row("B7"), id="default"),
    pytest.param(
        loading.missing_guard,
        [{"on_missing": "deny"}],
        [False, "PLUGIN_UNAVAILABLE"],
        [True, None],
        marks=row("B7"),
        id="on_missing",
    ),
    pytest.param(
        loading.missing_guard,
        [{"required": True}],
        Raised("RuntimeError"),
        [True, None],
        marks=row("B7"),
        id="required",
    ),
    pytest.param(loading.half_registered, [], False, True, marks=row("B8")),
    pytest.param(loading.after_shutdown, [], Raised("PluginError"), {"a": "ran"}, marks=row("B8")),
    pytest.param(loading.observed_later, [], {"a": "ran"}, Raised("AttributeError"), marks=row("B21")),
    pytest.param(loading.neighbouring_folder, [], [0, True], [1, False], marks=row("B30")),
    pytest.param(loading.one_capability, [], ["read_headers"], [], marks=row("B32")),
    pytest.param(
        loading.callers_dictionary,
        [],
        {"name": "a", "kind": "a.B", "mode": "enforce_ignore_error"},
        {"name": "a", "kind": "a.B", "mode": "sequential", "on_error": "ignore"},
        marks=row("B33"),
    ),
    pytest.param(loading.no_plugin, [], [True, True], [False, False], marks=row("C10")),
    pytest.param(loading.misused_policies, [{"tool_pre_invoke": ["args"]}], "made", "called", marks=row("C29")),
    pytest.param(loading.misused_policies, [{"tool_pre_invoke": "my_args"}], "made", "never: True", marks=row("C29")),
    pytest.param(loading.misused_timeout, [], "refused at the start", "ignored", marks=row("C29")),
    pytest.param(loading.hook_names, [], Raised("TypeError"), "taken", marks=row("C29")),
    pytest.param(loading.encoding, [], True, False, marks=row("C29")),
    pytest.param(loading.settings_in_config, [], [{"isolation": "always"}, False], [None, False], marks=row("C13")),
]


@pytest.mark.parametrize(("probe", "arguments", "here", "there"), TABLE)
def test_row(run_both: RunBoth, probe: Probe, arguments: list[Any], here: Any, there: Any) -> None:
    assert run_both(probe, *arguments) == (here, there)


@row("B19")
def test_a_second_file(run_both: RunBoth) -> None:
    ours, published = run_both(loading.second_path)
    assert published == []
    assert len(ours) == 1 and "one.yaml" in ours[0] and "two.yaml" in ours[0]


@row("B30")
def test_a_folder_that_is_not_allowed(run_both: RunBoth) -> None:
    ours, published = run_both(loading.dropped_folder)
    assert published == []
    assert len(ours) == 1 and "/somewhere/else" in ours[0] and "PLUGINS_ALLOWED_DIRS" in ours[0]
    assert run_both(loading.dropped_folder, PLUGINS_ALLOWED_DIRS="/somewhere").ours == []


@row("B31")
def test_a_negative_pool(run_both: RunBoth) -> None:
    assert run_both(loading.negative_pool, PLUGINS_EXECUTION_POOL="-1") == ("at the start", "at the call")


@row("C7")
@pytest.mark.parametrize(
    ("template", "published"),
    [
        ("{{ 'a b' | wordcount }}", 2),
        ("{{ 'a' | center(3) | length }}", 3),
        ("{{ '<b>x</b>' | striptags }}", "x"),
        ("{{ '%s!' % 'x' }}", "x!"),
        ("{% block b %}x{% endblock %}", "x"),
        ("{{ 1 + }}", Raised("TemplateSyntaxError")),
    ],
)
def test_templates(run_both: RunBoth, template: str, published: Any) -> None:
    there = published if isinstance(published, Raised) else {"v": published}
    assert run_both(loading.configured, f"    v: {template}") == (Raised("ConfigTemplateError"), there)


ENTRY = "plugins:\n- name: a\n  kind: a.B\n"
MANY = f"{ENTRY}  config:\n    a: &a [{'1, ' * 999}1]\n    b: [{'*a, ' * 300}*a]\n"


@row("C8")
@pytest.mark.parametrize(
    ("text", "ours", "published"),
    [
        (f"{ENTRY}  config: &a {{v: *a}}\n", "ConfigSyntaxError", ""),
        (f"{ENTRY}  config: {{v: a\ufeffb}}\n", "ConfigSyntaxError", ""),
        (f"{ENTRY}  tags: [a,\tb]\n", "", "ScannerError"),
        (f"{ENTRY}  config: {{v: &a 1, w: &a 2}}\n", "", "ComposerError"),
        (MANY, "ConfigSyntaxError", ""),
    ],
    ids=["recursive alias", "byte order mark", "tab", "repeated anchor", "many aliases"],
)
def test_yaml(run_both: RunBoth, text: str, ours: str, published: str) -> None:
    assert tuple(refused[0] for refused in run_both(loading.refusal, text)) == (ours, published)


@row("C10")
def test_secrets_in_load_errors(run_both: RunBoth) -> None:
    ours, published = run_both(loading.failure_with_secret)
    assert len(ours) == len(published) >= 1
    assert all("hunter2" in message for message in published)
    assert not any("hunter2" in message for message in ours)


@row("C14")
@pytest.mark.parametrize(
    ("probe", "line", "meant"),
    [
        (loading.warnings_of, "mode: sequental", "sequential"),
        (loading.warnings_at_the_start, "hooks: [tool_pre_invok]", "tool_pre_invoke"),
    ],
)
def test_misspelt_values(run_both: RunBoth, probe: Probe, line: str, meant: str) -> None:
    ours, published = run_both(probe, f"{ENTRY}  {line}\n")
    assert sum(f'did you mean "{meant}"?' in message for message in ours) == 1
    assert not any("did you mean" in message for message in published)
    refusals = run_both(loading.refusal, f"{ENTRY}  {line}\n")
    assert refusals.ours == refusals.published
