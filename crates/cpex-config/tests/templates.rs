//! Templates print values, never structure; filters and conditions see the real text.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::portable;
use cpex_config::{ConfigError, Environment, Templates, load};
use serde_json::{Value as Json, json};

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The value of `key: …` with `X` in the environment.
fn value(expression: &str, x: &str) -> Json {
    under(&format!("key: {expression}\n"), Templates::Values(&environment(&[("X", x)])))
}

fn compat(expression: &str, x: &str) -> Json {
    under(&format!("key: {expression}\n"), Templates::Textual(&environment(&[("X", x)])))
}

fn under(text: &str, templates: Templates<'_>) -> Json {
    let document = load(text, "t.yaml", templates).unwrap();
    portable(document.root().unwrap().get("key").unwrap().value())
}

fn fails(text: &str, x: &str) -> String {
    load(text, "t.yaml", Templates::Values(&environment(&[("X", x)]))).unwrap_err().to_string()
}

#[test]
fn values_keep_their_bytes() {
    for nasty in [
        "a&b<c>\"q'",
        "- a",
        "a: b",
        "[a, b]",
        "{a: b}",
        "*a",
        "&a",
        "!!int",
        "# c",
        "a # c",
        "|",
        ">-",
        "---",
        "...",
        "%TAG",
        "@",
        "`",
        "\"",
        "'",
        "{{ env.X }}",
        "{% if %}",
        "a\nb: c",
        "\n- x",
        "\r",
        "\u{85}x",
        " a ",
        "\u{e000}0\u{e000}",
        "\0",
        "<<",
        "=",
        "\\n",
        "\u{feff}",
        "5 # c",
        "\"5\"",
        "a\n\n",
    ] {
        for scalar in [
            "{{ env.X }}",
            "\"{{ env.X }}\"",
            "'{{ env.X }}'",
            "!!str {{ env.X }}",
            "{{ env['X'] }}",
            "{{ env.get('X') }}",
            "{{ env.X|safe }}",
        ] {
            assert_eq!(value(scalar, nasty), json!({"str": nasty}), "{scalar} {nasty:?}");
        }
        assert_eq!(value("a{{ env.X }}b", nasty), json!({"str": format!("a{nasty}b")}));
        assert_eq!(value("|-\n  a{{ env.X }}b", nasty), json!({"str": format!("a{nasty}b")}));
        assert_eq!(value("[{{ env.X }}, {{ env.X }}]", nasty), json!([{"str": nasty}, {"str": nasty}]));
        assert_eq!(value("{{ [env.X, 1] }}", nasty), json!([{"str": nasty}, {"int": "1"}]));
        assert_eq!(value("{{ [env.X]|tojson }}", nasty), json!([{"str": nasty}]));
        assert_eq!(value("{{ {env.X: env.X} }}", nasty), json!([[{"str": nasty}, {"str": nasty}]]));
        assert_eq!(value("{% set y %}{{ env.X }}{% endset %}{{ y }}", nasty), json!({"str": nasty}));
        assert_eq!(value("{% macro f() %}{{ env.X }}{% endmacro %}{{ f() }}", nasty), json!({"str": nasty}));
    }
}

#[test]
fn plain_values_are_typed_by_the_yaml_rules() {
    assert_eq!(value("{{ env.X }}", "8080"), json!({"int": "8080"}));
    assert_eq!(value("{{ env.X }}", " 8080 "), json!({"int": "8080"}));
    assert_eq!(value("{{ env.X }}", "yes"), json!({"bool": true}));
    assert_eq!(value("{{ env.X }}", ""), json!({"null": true}));
    assert_eq!(value("{{ env.X }}.5", "1"), json!({"float": "1.5"}));
    assert_eq!(value("\"{{ env.X }}\"", "8080"), json!({"str": "8080"}));
    assert_eq!(value("!!int \"{{ env.X }}\"", "8080"), json!({"int": "8080"}));
    assert_eq!(value("{{ env.X|tojson }}", "8080"), json!({"str": "8080"}));
    assert_eq!(value("'{{ env.X|tojson }}'", "a\"b"), json!({"str": "\"a\\\"b\""}));
    assert_eq!(value("\"{{ [1, 'a', none, true] }}\"", ""), json!({"str": "[1, 'a', None, True]"}));
}

#[test]
fn expressions_see_the_real_text() {
    assert_eq!(value("{{ env.X|upper }}", "abc"), json!({"str": "ABC"}));
    assert_eq!(value("{{ env.X.upper() }}", "abc"), json!({"str": "ABC"}));
    assert_eq!(value("{{ env.X.split(',') }}", "a,b: c"), json!([{"str": "a"}, {"str": "b: c"}]));
    assert_eq!(value("{{ env.X.split(',')|join('-') }}", "a,b"), json!({"str": "a-b"}));
    assert_eq!(value("{% if env.X == 'a b' %}1{% else %}2{% endif %}", "a b"), json!({"int": "1"}));
    assert_eq!(value("{% set y %}{{ env.X }}-1{% endset %}{{ y == 'a-1' }}", "a"), json!({"bool": true}));
    assert_eq!(value("{% filter upper %}{{ env.X }}{% endfilter %}", "abc"), json!({"str": "ABC"}));
    assert_eq!(value("{{ env.X|length }}", "abc"), json!({"int": "3"}));
    assert_eq!(value("{{ env.X|int + 1 }}", " 41 "), json!({"int": "42"}));
    assert_eq!(value("{{ env.X|int(7) }}", "x"), json!({"int": "7"}));
    assert_eq!(value("{{ env.X|float(default=1.5) }}", "x"), json!({"float": "1.5"}));
    assert_eq!(value("{{ env.X|e }}", "a&b"), json!({"str": "a&amp;b"}));
    assert_eq!(
        value("[{% for i in range(3) %}{{ i }},{% endfor %}]", ""),
        json!([{"int": "0"}, {"int": "1"}, {"int": "2"}])
    );
    assert_eq!(value("{% raw %}'{{ env.X }}'{% endraw %}", ""), json!({"str": "{{ env.X }}"}));
}

#[test]
fn python_methods_and_spellings() {
    for (expression, expected) in [
        ("env.X.rsplit('-', 1)|tojson", json!([{"str": "a-B"}, {"str": "c"}])),
        ("' a  b c '.rsplit(none, 1)|tojson", json!([{"str": "a  b"}, {"str": "c"}])),
        ("' a  b '.rsplit()|tojson", json!([{"str": "a"}, {"str": "b"}])),
        ("env.X.partition('-')|list", json!([{"str": "a"}, {"str": "-"}, {"str": "B-c"}])),
        ("env.X.rpartition('?')|list", json!([{"str": ""}, {"str": ""}, {"str": "a-B-c"}])),
        ("env.X.removeprefix('a-').removesuffix('-c')", json!({"str": "B"})),
        ("env.X.swapcase()", json!({"str": "A-b-C"})),
        ("env.X.casefold()", json!({"str": "a-b-c"})),
        ("env.X.index('B')", json!({"int": "2"})),
        ("'x' ~ '-5'.zfill(4) ~ 'a'.ljust(3, '.') ~ 'b'.rjust(2)", json!({"str": "x-005a.. b"})),
        ("env.X|urlencode ~ '&='|urlencode", json!({"str": "a-B-c%26%3D"})),
        ("(1, 2)", json!({"str": "(1, 2)"})),
        ("1e100", json!({"str": "1e+100"})),
        ("10 / 4", json!({"float": "2.5"})),
        ("true", json!({"bool": true})),
        ("none", json!({"str": "None"})),
        ("{'b': 1, 'a': none}|tojson", json!([[{"str": "a"}, {"null": true}], [{"str": "b"}, {"int": "1"}]])),
    ] {
        assert_eq!(value(&format!("{{{{ {expression} }}}}"), "a-B-c"), expected, "{expression}");
    }
    assert!(fails("a: {{ env.X.index('?') }}\n", "abc").contains("substring not found"));
}

#[test]
fn what_is_missing() {
    assert_eq!(value("{{ env.NOPE }}", ""), json!({"null": true}));
    assert_eq!(value("{{ env['NOPE'] }}x", ""), json!({"str": "x"}));
    assert_eq!(value("{{ env.get('NOPE') }}", ""), json!({"str": "None"}));
    assert_eq!(value("{{ env.get('NOPE', 'd') }}", ""), json!({"str": "d"}));
    assert_eq!(value("{{ env.NOPE|default('d') }}", ""), json!({"str": "d"}));
    assert_eq!(value("{{ env.X|default('d', true) }}", ""), json!({"str": "d"}));
    assert_eq!(value("{{ env.NOPE or 'd' }}", ""), json!({"str": "d"}));
    assert_eq!(value("{{ nothing }}", ""), json!({"null": true}));
}

#[test]
fn compat_is_text_escaped_for_html() {
    assert_eq!(compat("'{{ env.X }}'", "a&b<c>\""), json!({"str": "a&amp;b&lt;c&gt;&#34;"}));
    assert_eq!(compat("[{{ env.X }}]", "a,b"), json!([{"str": "a"}, {"str": "b"}]));
    assert_eq!(compat("{{ env.X|safe }}", "[a, b]"), json!([{"str": "a"}, {"str": "b"}]));
    assert_eq!(compat("{{ env.X|tojson }}", "a\"b"), json!({"str": "a\"b"}));
    assert_eq!(compat("{{ env.X }}", "8080"), json!({"int": "8080"}));
    assert_eq!(compat("{{ env.X == 'a&b' }}", "a&b"), json!({"bool": true}));
    assert_eq!(compat("{% macro f() %}[{{ env.X }}]{% endmacro %}{{ f() }}", "a"), json!([{"str": "a"}]));
}

#[test]
fn without_templates_braces_are_yaml() {
    assert_eq!(under("key: '{{ env.X }}'\n", Templates::Off), json!({"str": "{{ env.X }}"}));
    assert!(load("key: {{ env.X }}\n", "t.yaml", Templates::Off).is_err());
}

#[test]
fn errors_say_where_and_what_would_be_right() {
    let cases = [
        ("a: 1\nb: {{ foo.bar }}\n", "t.yaml:2:7: undefined value"),
        ("a: {{ env.X\n", "t.yaml:1:"),
        ("a: {{ env.X|nope }}\n", "t.yaml:1:13: unknown filter"),
        ("{% include 'a' %}\n", "t.yaml:1:"),
        ("{% import 'a' as b %}\n", "t.yaml:1:"),
        ("{% extends 'a' %}\n", "t.yaml:1:"),
        ("a: {{ foo() }}\n", "t.yaml:1:"),
        ("a: {{ env.X + 1 }}\n", "t.yaml:1:"),
        (
            "{% for i in range(10000) %}{% for j in range(10000) %}{{ j }}{% endfor %}{% endfor %}",
            "t.yaml:1:",
        ),
        ("a: {{ 'x' * 1000000000 }}", "t.yaml:1:"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "t.yaml:1:"),
    ];
    for (text, expected) in cases {
        let message = fails(text, "hunter2hunter2");
        assert!(message.starts_with(expected), "{text}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn secrets_stay_out_of_messages() {
    for text in [
        "a: !!int {{ env.X }}\n",
        "{{ env.X }}: 1\n{{ env.X }}: !foo 2\n",
        "a: {{ env.X }}: b\n",
        "a: !{{ env.X }} b\n",
        "a: *{{ env.X }}\n",
    ] {
        let message = fails(text, "hunter2");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let environment = environment(&[("X", "hunter2")]);
    let document =
        load("{{ env.X }}: 1\n{{ env.X }}: 2\n", "t.yaml", Templates::Values(&environment)).unwrap();
    assert!(!format!("{document:?} {:?}", document.root()).contains("hunter2"));
    assert_eq!(document.problems().len(), 1);
    let error = load("a: !!int '{{ env.X }}'\n", "t.yaml", Templates::Textual(&environment)).unwrap_err();
    assert!(matches!(error, ConfigError::Scalar { .. }) && !error.to_string().contains("hunter2"));
}

#[test]
fn positions_are_those_of_the_source() {
    let text = "{% if env.X %}\n{# a\ncomment #}\nname: {{ env.X }}   # {{ env.X }}\n{%- endif %}\nports: [{% for i in range(2) %}{{ i }}, {% endfor %}7]\n{{ env.X }}: {{ env.X\n }} \nlast: é{{ env.X }}é\nbad: !foo x\n";
    let environment = environment(&[("X", "a\nvery\nlong\nvalue")]);
    let error = load(text, "t.yaml", Templates::Values(&environment)).unwrap_err();
    assert_eq!(error.location().to_string(), "t.yaml:10:6");
    let document = load(&text.replace("!foo ", ""), "t.yaml", Templates::Values(&environment)).unwrap();
    let at = |key: &str| document.root().unwrap().get(key).unwrap().position().to_string();
    assert_eq!(at("name"), "4:7");
    assert_eq!(at("ports"), "6:8");
    assert_eq!(at("a\nvery\nlong\nvalue"), "7:14");
    assert_eq!(at("last"), "9:7");
    assert_eq!(at("bad"), "10:6");
}
