"""Reading and writing plugin configuration files."""

from __future__ import annotations

import datetime
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cpex import _core
from cpex.framework import ConfigLoader, PluginMode
from cpex.framework.loader.config import (
    ConfigError,
    ConfigKeyError,
    ConfigSaver,
    ConfigSyntaxError,
    ConfigTemplateError,
    place_of,
    plugin_settings,
)
from cpex.framework.models import Config, PluginConfig

Load = Callable[..., Config]
ENTRY = "plugins:\n- name: a\n  kind: x.Y\n  config:\n    v: "


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "plugins.yaml")


@pytest.fixture
def load(path: str, monkeypatch: pytest.MonkeyPatch) -> Load:
    for name in ("PLUGINS_COMPAT", "PLUGINS_STRICT_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def load_text(text: str, use_jinja: bool = True, **variables: str) -> Config:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        Path(path).write_text(text, encoding="utf-8")
        return ConfigLoader.load_config(path, use_jinja)

    return load_text


def value(config: Config) -> Any:
    assert config.plugins is not None and config.plugins[0].config is not None
    return config.plugins[0].config["v"]


def test_a_whole_file(load: Load) -> None:
    config = load(
        "plugin_dirs: [./plugins]\n"
        "plugins:\n"
        "{% for name in env.NAMES.split(',') %}\n"
        "- name: {{ name }}\n"
        "  kind: my_app.{{ name|title }}\n"
        "  version: 1.0.0\n"
        "  hooks: [\n    tool_pre_invoke\n  ]\n"
        "  mode: enforce_ignore_error\n"
        "  config: {limit: {{ env.LIMIT }}, secret: '{{ env.SECRET }}'}\n"
        "{% endfor %}\n",
        NAMES="pii,sql",
        LIMIT="10",
        SECRET="a&b: 'c'",
    )
    assert config.plugin_dirs == ["./plugins"]
    assert config.plugins is not None
    assert [(plugin.name, plugin.kind) for plugin in config.plugins] == [("pii", "my_app.Pii"), ("sql", "my_app.Sql")]
    assert config.plugins[0].mode is PluginMode.SEQUENTIAL
    assert config.plugins[1].config == {"limit": 10, "secret": "a&b: 'c'"}


def test_a_missing_file_is_an_empty_configuration(path: str) -> None:
    assert ConfigLoader.load_config(path) == Config(plugins=[], plugin_dirs=[])


@pytest.mark.parametrize("text", ["", "# c\n", "null", "{}", "[]", "false", "0", "''"])
def test_nothing_is_an_empty_configuration(load: Load, text: str) -> None:
    assert load(text).model_dump(exclude_unset=True) == {}


def test_the_path_is_normalised(load: Load, tmp_path: Path) -> None:
    load("plugin_dirs: [a]\n")
    assert ConfigLoader.load_config(f"{tmp_path}/nowhere/../plugins.yaml").plugin_dirs == ["a"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("{{ env.X }}", "a&b<c>\"q'"),
        ("'{{ env[\"X\"] }}'", "a&b<c>\"q'"),
        ("{{ env.get('X') }}", "a&b<c>\"q'"),
        ("{{ env.get('NOPE', 'd') }}", "d"),
        ("{{ env.X|e }}", "a&amp;b&lt;c&gt;&#34;q&#39;"),
        ("{{ env.NOPE }}", None),
        ("{{ env.X|length > 3 }}", True),
        ("{{ env.X.split('&') }}", ["a", "b<c>\"q'"]),
        ("{{ {'k': env.X}|tojson }}", {"k": "a&b<c>\"q'"}),
    ],
)
def test_templates_print_exact_values(load: Load, expression: str, found: Any) -> None:
    assert value(load(f"{ENTRY}{expression}\n", X="a&b<c>\"q'")) == found


@pytest.mark.parametrize("nasty", ["a\nplugins: []", "- x", "{a: b}", "a: b", "*a", "# c", "a # c", '"', "\udc80x"])
def test_a_value_adds_no_structure(load: Load, nasty: str) -> None:
    config = load(f"{ENTRY}{{{{ env.X }}}}\n", X=nasty)
    assert value(config) == nasty.replace("\udc80", "\N{REPLACEMENT CHARACTER}" * 3)
    assert config.plugins is not None and len(config.plugins) == 1


def test_compat_prints_escaped_text(load: Load) -> None:
    text = f"{ENTRY}[{{{{ env.X }}}}]\n"
    assert value(load(text, X="a&b, c", PLUGINS_COMPAT="0.1.4")) == ["a&amp;b", "c"]


def test_without_jinja_braces_are_yaml(load: Load) -> None:
    assert value(load(f"{ENTRY}'{{{{ env.X }}}}'\n", use_jinja=False)) == "{{ env.X }}"
    with pytest.raises(ConfigSyntaxError):
        load(f"{ENTRY}{{{{ env.X }}}}\n", use_jinja=False)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1\n", 1, 4),
        ("x: 1\n---\ny: 2\n", 2, 1),
        ("plugins: *x\n", 1, 10),
        ("a: !foo 1\n", 1, 4),
        ("[1]: 2\n", 1, 1),
    ],
)
def test_bad_yaml_is_a_yaml_error(load: Load, path: str, text: str, line: int, column: int) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        load(text)
    error = caught.value
    assert isinstance(error, ConfigSyntaxError)
    assert isinstance(error, ConfigError)
    assert (error.path, error.line, error.column) == (path, line, column)
    assert error.problem_mark is not None
    assert (error.problem_mark.line, error.problem_mark.column) == (line - 1, column - 1)
    assert str(error).startswith(f"{path}:{line}:{column}: ")


@pytest.mark.parametrize("text", ["a: {{ env.X\n", "a: {{ x.y }}\n", "{% include 'a' %}", "a: {{ env.X|nope }}\n"])
def test_bad_templates(load: Load, path: str, text: str) -> None:
    with pytest.raises(ConfigTemplateError, match=f"^{path}:1:"):
        load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", ":1:1: a configuration must be a mapping such as 'plugins: [...]', not list"),
        ("x\n", ":1:1: a configuration must be a mapping such as 'plugins: [...]', not str"),
        ("plugins: []\n1: 2\n", ":2:1: keywords must be strings; quote this key"),
    ],
)
def test_the_top_is_a_mapping(load: Load, path: str, text: str, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        load(text)
    assert str(caught.value) == path + message


def test_invalid_values_say_where_they_stand(load: Load, path: str, caplog: pytest.LogCaptureFixture) -> None:
    text = "plugins:\n- name: a\n- name: b\n  kind: {{ env.X }}\n  mode: sideways\n  mcp:\n    proto: 5\n"
    with pytest.raises(ValidationError) as caught:
        load(text, X="70471")
    notes = caught.value.__notes__
    assert f"{path}:2:3: plugins[0].kind: Field required" in notes
    assert f"{path}:4:9: plugins[1].kind: Input should be a valid string" in notes
    assert any(note.startswith(f"{path}:5:9: plugins[1].mode: Input should be '") for note in notes)
    assert any(note.startswith(f"{path}:7:12: plugins[1].mcp.proto: ") for note in notes)
    assert len(notes) == caught.value.error_count()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == notes
    assert "70471" not in "".join(notes)


SUSPICIOUS = "plugin_settings: {a: 1}\nplugin: []\nplugins:\n- name: a\n  kind: b.C\n  name: c\n  onerror: x\n"


def test_suspicious_keys_are_warnings(load: Load, path: str, caplog: pytest.LogCaptureFixture) -> None:
    config = load(SUSPICIOUS)
    assert config.plugins is not None and config.plugins[0].name == "c"
    assert [record.getMessage() for record in caplog.records] == [
        f'{path}:2:1: unknown key "plugin"; did you mean "plugins"?',
        f'{path}:6:3: duplicate key "name", first given at 4:3; the last one counts',
        f'{path}:7:3: unknown key "onerror" in plugins[0]; did you mean "on_error"?',
    ]


def test_suspicious_keys_are_errors_where_wanted(load: Load, path: str) -> None:
    with pytest.raises(ConfigKeyError) as caught:
        load(SUSPICIOUS, PLUGINS_STRICT_CONFIG="true")
    assert (caught.value.line, caught.value.column) == (2, 1)
    assert len(str(caught.value).splitlines()) == 3


FOREIGN_SETTINGS = (
    "plugin_timeout: 30, fail_on_plugin_error: true, enable_plugin_api: true, plugin_health_check_interval: 60, "
    "parallel_execution_within_band: true, plugin_dirs: [x]"
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("isolatoin", "isolation"),
        ("Execution-Details", "execution_detail"),
        ("extension_tier", "extension_tiers"),
        ("allow_dirs", "allowed_dirs"),
    ],
)
def test_b6_a_setting_that_resembles_one_of_ours_is_suspicious(
    load: Load, path: str, caplog: pytest.LogCaptureFixture, written: str, meant: str
) -> None:
    text = f"plugin_settings:\n  {written}: always\nplugins: []\n"
    message = f'{path}:2:3: unknown key "{written}" in plugin_settings; did you mean "{meant}"?'
    load(text)
    assert [record.getMessage() for record in caplog.records] == [message]
    with pytest.raises(ConfigKeyError, match=re.escape(message)):
        load(text, PLUGINS_STRICT_CONFIG="true")


def test_b6_settings_of_hosts_are_not_suspicious(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load(f"plugins: []\nplugin_settings: {{{FOREIGN_SETTINGS}}}", PLUGINS_STRICT_CONFIG="true")
    assert not caplog.records


def test_every_known_key_is_known(load: Load, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    load(
        "plugins:\n"
        "- {name: a, kind: b.C, required: true, on_missing: deny, timeout_ms: 5, config: {any: {thing: 1}},\n"
        "   conditions: [{server_ids: [a]}], applied_to: {tools: [{tool_name: x, extensions: {any: 1}}]}}\n"
        "- {name: e, kind: external, mcp: {proto: STDIO, cmd: [x], env: {ANY: x}}}\n"
        "- {name: f, kind: external, grpc: {target: 'h:1'}}\n"
        "server_settings: {host: h, port: 1}\n"
        f"unix_socket_server_settings: {{path: {tmp_path}/s.sock}}\n"
        "plugin_settings: {any: {thing: 1}}\n"
    )
    assert caplog.records == []


def test_plugin_settings_are_kept_wherever_a_configuration_comes_from(load: Load, path: str) -> None:
    config = load("plugin_settings: {parallel: true}\nplugins: []\n")
    given: dict[str, Any] = {"plugins": [], "plugin_settings": {"parallel": True}}
    for same in (
        config,
        Config(**given),
        Config.model_validate(given),
        config.model_copy(),
        Config(**config.model_dump()),
    ):
        assert plugin_settings(same) == {"parallel": True}
        assert same == config
    ConfigSaver.save_config(config, path)
    assert plugin_settings(ConfigLoader.load_config(path)) == {"parallel": True}
    assert plugin_settings(Config()) == {}
    assert "plugin_settings" not in str(Config().model_dump()) + repr(config)


def test_plugin_settings_are_a_mapping(load: Load, path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load("plugin_settings: fast\n")
    assert caught.value.__notes__ == [f"{path}:1:18: plugin_settings: Input should be a valid dictionary"]
    assert plugin_settings(load("plugin_settings:\n")) == {}


def test_bad_choices_name_the_right_one(load: Load, path: str) -> None:
    text = (
        "plugins:\n- name: a\n  kind: b.C\n  mode: sequentail\n  on_error: Ignore\n  on_missing: denied\n"
        "  capabilities: [read_header]\n- {name: b, kind: b.C, mode: nonsense}\n"
    )
    with pytest.raises(ValidationError) as caught:
        load(text)
    notes = {note.split(": ")[1]: note for note in caught.value.__notes__}
    assert notes["plugins[0].mode"].startswith(f"{path}:4:9: plugins[0].mode: Input should be '")
    assert notes["plugins[0].mode"].endswith('; did you mean "sequential"?')
    assert notes["plugins[0].on_error"].endswith('; did you mean "ignore"?')
    assert notes["plugins[0].on_missing"].endswith('; did you mean "deny"?')
    assert notes["plugins[0].capabilities"].endswith('; did you mean "read_headers"?')
    assert "did you mean" not in notes["plugins[1].mode"]


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("", "1:1", '; write "plugins: []" if that is meant'),
        ("# plugins:\n#  - name: a\n", "1:1", '; write "plugins: []" if that is meant'),
        ("plugin_dirs: []\nplugins:\n", "2:8", '; write "plugins: []" if that is meant'),
        ("plugin:\n- {name: a, kind: b.C}\n", "1:1", ""),
    ],
)
def test_b6_a_file_without_plugins_is_suspicious(
    load: Load, path: str, caplog: pytest.LogCaptureFixture, text: str, at: str, hint: str
) -> None:
    message = f"{path}:{at}: no plugins are named: everything is allowed{hint}"
    assert not load(text).plugins
    assert caplog.messages[-1] == message
    with pytest.raises(ConfigKeyError, match=re.escape(message)):
        load(text, PLUGINS_STRICT_CONFIG="true")


def test_a_list_without_plugins_is_meant(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    assert load("plugins: []", PLUGINS_STRICT_CONFIG="true").plugins == []
    assert not caplog.records


def test_c30_a_missing_file_is_an_error_where_wanted(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_STRICT_CONFIG", "true")
    with pytest.raises(FileNotFoundError, match=re.escape(path)):
        ConfigLoader.load_config(path)


def test_entries_know_their_place(load: Load, path: str) -> None:
    config = load("plugins:\n- name: a\n  kind: b.C\n- {name: b, kind: b.C}\n")
    assert config.plugins is not None
    assert [place_of(entry, config) for entry in config.plugins] == [f"{path}:2:3", f"{path}:4:3"]
    config.plugins.insert(0, PluginConfig(name="new", kind="b.C"))
    assert [place_of(entry, config) for entry in config.plugins] == [None, f"{path}:2:3", f"{path}:4:3"]
    assert path not in str(config.model_dump()) + repr(config) + config.model_dump_json()


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1, b: [x, 2.5, null, yes, ~], c: {d: 2001-12-14, e: 2001-12-14 21:59:43.1 -5, f: 2001-12-14t01:02:03Z}}",
        "!!set {a, b}",
        "!!omap [a: 1, b: 2]",
        "!!binary aGVsbG8=",
        "[0x7b, 0755, 1:30, .inf, 1e5, 1234567890123456789012345678901234567890, 0xfffffffffffffffffffffffffffffffff]",
        "{1: a, yes: b, null: c, 2001-12-14: d, 1.5: e, 1.0: f}",
        "a: &x {b: [1]}\nc: *x\nd: {<<: *x, e: 2}\n",
        "a: 1\nb: 2\na: 3\n",
    ],
)
def test_values_are_those_of_pyyaml(text: str) -> None:
    ours, _, _ = _core.load_config(text, "x.yaml", None, False)
    theirs = yaml.safe_load(text)
    assert repr(ours) == repr(theirs)
    assert ours == theirs


def test_aliases_share_one_object() -> None:
    loaded, _, _ = _core.load_config("a: &x {b: [1]}\nc: *x\n", "x.yaml")
    assert loaded["a"] is loaded["c"]


def test_zones_are_utc_or_fixed() -> None:
    loaded, _, _ = _core.load_config("[2001-12-14 01:02:03 Z, 2001-12-14 01:02:03 +5:30]", "x.yaml")
    assert loaded[0].tzinfo is datetime.UTC
    assert loaded[1].utcoffset() == datetime.timedelta(hours=5, minutes=30)


def test_positions_say_nothing_of_values() -> None:
    _, _, positions = _core.load_config("a: {b: secret}\n", "x.yaml")
    assert positions.locate(["a", "b"]) == (1, 8)
    assert positions.locate(["a", "nope", 3]) == (1, 4)
    assert repr(positions) == '<PositionIndex of "x.yaml">'
    assert _core.load_config("", "x.yaml")[2].locate([]) is None
    with pytest.raises(TypeError):
        positions.unknown_keys({"a": 5})


def test_saving(path: str) -> None:
    config = Config(plugins=[PluginConfig(name="a", kind="x.Y", hooks=["h"], config={"é": 1})], plugin_dirs=["d"])
    ConfigSaver.save_config(config, path)
    assert Path(path).read_text(encoding="utf-8") == yaml.safe_dump(config.model_dump(mode="json"))
    assert ConfigLoader.load_config(path, use_jinja=False) == config


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = f"{tmp_path}/nowhere/x.yaml"
    with pytest.raises(RuntimeError, match=f"^Error saving PluginConfig to {path}$"):
        ConfigSaver.save_config(Config(), path)


def test_the_import_leaves_yaml_and_jinja_alone() -> None:
    program = "import sys, cpex.framework.loader.config; print(sorted({'yaml', 'jinja2'} & set(sys.modules)))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
