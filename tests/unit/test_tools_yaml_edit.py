"""Lists of a YAML file are edited as text: everything else stays as it was written (B27)."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cpex.tools._plugins.yaml_edit import UneditableError, YamlList

ENTRY = {"name": "new", "kind": "m.C"}


def text(block: str) -> str:
    return textwrap.dedent(block).lstrip("\n")


def with_entry(source: str) -> str:
    return YamlList(source, "plugins").with_item(ENTRY)


def without(source: str, *names: str) -> str:
    return YamlList(source, "plugins").without_items(lambda fields: fields.get("name") in names)


APPENDED = {
    "no file": ("", "plugins:\n- name: new\n  kind: m.C\n"),
    "only comments": ("# c\n", "# c\nplugins:\n- name: new\n  kind: m.C\n"),
    "no such key": ("a: 1  # c\n# end\n", "a: 1  # c\nplugins:\n- name: new\n  kind: m.C\n# end\n"),
    "null": ("plugins:\na: 1\n", "plugins:\n  - name: new\n    kind: m.C\na: 1\n"),
    "null word": ("plugins: null  # c\na: 1\n", "plugins:  # c\n  - name: new\n    kind: m.C\na: 1\n"),
    "empty": ("plugins: []  # c\na: 1\n", "plugins:  # c\n  - name: new\n    kind: m.C\na: 1\n"),
    "empty on two lines": ("plugins: [\n  ]\na: 1\n", "plugins:\n  - name: new\n    kind: m.C\na: 1\n"),
    "no indent": ("plugins:\n- name: a\nb: 1\n", "plugins:\n- name: a\n- name: new\n  kind: m.C\nb: 1\n"),
    "no newline at the end": ("plugins:\n- name: a", "plugins:\n- name: a\n- name: new\n  kind: m.C\n"),
    "CRLF": ("plugins:\r\n- name: a\r\n", "plugins:\r\n- name: a\r\n- name: new\r\n  kind: m.C\r\n"),
    "flow": ("plugins: [{name: a},] # c\n", "plugins: [{name: a}, {name: new, kind: m.C},] # c\n"),
    "comments": (
        "plugins:\n  - name: a  # c\n\n  # of nothing\nb: 1\n",
        "plugins:\n  - name: a  # c\n  - name: new\n    kind: m.C\n\n  # of nothing\nb: 1\n",
    ),
    "block scalar": (
        "plugins:\n- name: a\n  description: |\n    text\n\n# c\nb: 1\n",
        "plugins:\n- name: a\n  description: |\n    text\n- name: new\n  kind: m.C\n\n# c\nb: 1\n",
    ),
    "kept block scalar": (
        "plugins:\n- description: |+\n    text\n\nb: 1\n",
        "plugins:\n- description: |+\n    text\n\n- name: new\n  kind: m.C\nb: 1\n",
    ),
    "alias at the end": (
        "x: &x {a: 1}\nplugins:\n- name: a\n  config:\n    *x\nb: 1\n",
        "x: &x {a: 1}\nplugins:\n- name: a\n  config:\n    *x\n- name: new\n  kind: m.C\nb: 1\n",
    ),
    "empty value at the end": (
        "plugins:\n- name: a\n  config:\nb: 1\n",
        "plugins:\n- name: a\n  config:\n- name: new\n  kind: m.C\nb: 1\n",
    ),
    "templates": (
        "plugins:\n- name: {{ env.A }}\n  config: {k: '{{ env.B }}'}\n{# c #}\n",
        "plugins:\n- name: {{ env.A }}\n  config: {k: '{{ env.B }}'}\n- name: new\n  kind: m.C\n{# c #}\n",
    ),
    "behind a template block": (
        "plugins:\n{% if env.A %}\n- name: a\n{% endif %}\nb: 1\n",
        "plugins:\n{% if env.A %}\n- name: a\n{% endif %}\n- name: new\n  kind: m.C\nb: 1\n",
    ),
    "document markers": (
        "---\nplugins:\n- name: a\n...\n",
        "---\nplugins:\n- name: a\n- name: new\n  kind: m.C\n...\n",
    ),
}


@pytest.mark.parametrize("case", APPENDED)
def test_an_item_is_added_at_the_end(case: str) -> None:
    before, after = APPENDED[case]
    assert with_entry(before) == after


REMOVED = {
    "first": ("plugins:\n  # c\n- name: x\n  k: 1 # gone\n# of a\n- name: a\n", "plugins:\n  # c\n# of a\n- name: a\n"),
    "last": ("plugins:\n- name: a\n- name: x\n\n# c\nb: 1\n", "plugins:\n- name: a\n\n# c\nb: 1\n"),
    "only": ("plugins:  # c\n  - name: x\nb: 1\n", "plugins: []  # c\nb: 1\n"),
    "several": ("plugins:\n- name: x\n- name: a\n- name: x\n", "plugins:\n- name: a\n"),
    "none": ("plugins:\n- name: a\n", "plugins:\n- name: a\n"),
    "flow first": ("plugins: [{name: x}, {name: a}]\n", "plugins: [{name: a}]\n"),
    "flow last": ("plugins: [{name: a}, {name: x},]\n", "plugins: [{name: a},]\n"),
    "flow only": ("plugins: [{name: x},]\n", "plugins: []\n"),
    "block scalar": ("plugins:\n- name: x\n  d: >-\n    t\n    u\n- name: a\n", "plugins:\n- name: a\n"),
    "in a template block": (
        "plugins:\n{% if a %}\n- name: x\n{% endif %}\n- name: a\n",
        "plugins:\n{% if a %}\n{% endif %}\n- name: a\n",
    ),
    "nested dashes": ("plugins:\n- name: x\n  hooks:\n  - h\n  tags:\n  - t\n- name: a\n", "plugins:\n- name: a\n"),
    "templated name": ("plugins:\n- name: {{ env.X }}\n- name: a\n", "plugins:\n- name: {{ env.X }}\n- name: a\n"),
}


@pytest.mark.parametrize("case", REMOVED)
def test_items_are_removed(case: str) -> None:
    before, after = REMOVED[case]
    assert without(before, "x") == after


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("plugins: [\n", "line 2: "),
        ("a: 1\n{{ env.MORE }}\n", "line 3: "),
        ("- a\n", "line 1: the top level is not a mapping in block style"),
        ("{plugins: []}\n", "line 1: the top level is not a mapping in block style"),
        ("a: 1\nplugins: text\n", "line 2: 'plugins' holds no list"),
        ("{% if a %}\nplugins:\n- name: a\nb: 1\n{% endif %}\n", "the list 'plugins' ends in a template block"),
    ],
)
def test_what_cannot_be_edited_is_refused(source: str, message: str) -> None:
    with pytest.raises(UneditableError, match="^" + message.replace("(", r"\(")):
        with_entry(source)


def test_text_that_looks_like_a_template_stays_text() -> None:
    """A manifest must not be able to read the environment of the application that loads the configuration."""
    from cpex import _core

    hostile = {
        "name": "{{ env.SECRET }}",
        "config": {"a": "{% set x = 1 %}", "b": "{# c #}", "c": "{{{", "d": "'\"{{\n"},
    }
    source = YamlList("", "plugins").with_item(hostile)
    loaded, _, _ = _core.load_config(source, "f", {"SECRET": "s3cret"}, False)
    assert loaded == {"plugins": [hostile]}


_names = st.text(alphabet="abc", min_size=1, max_size=2)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(alphabet="kl", min_size=1), inner, max_size=2),
    max_leaves=5,
)
_files = st.fixed_dictionaries(
    {"plugins": st.lists(st.fixed_dictionaries({"name": _names, "config": _values}), max_size=4)},
    optional={"aa": _values, "zz": _values},
)


@settings(deadline=None)
@given(_files, st.booleans() | st.none(), st.integers(min_value=2, max_value=6))
def test_any_file_keeps_its_content(data: dict[str, object], flow: bool | None, indent: int) -> None:
    source = yaml.safe_dump(data, default_flow_style=flow, indent=indent, sort_keys=False)
    if flow:
        source = "".join(
            f"{key}: {yaml.safe_dump([value], default_flow_style=True)[1:-2]}\n" for key, value in data.items()
        )
    assert yaml.safe_load(source) == data
    plugins = data["plugins"]
    assert isinstance(plugins, list)
    added = YamlList(source, "plugins").with_item(ENTRY)
    assert yaml.safe_load(added) == {**data, "plugins": [*plugins, ENTRY]}
    removed = YamlList(added, "plugins").without_items(lambda fields: fields["name"] in ("new", "a"))
    assert yaml.safe_load(removed) == {**data, "plugins": [entry for entry in plugins if entry["name"] != "a"]}
