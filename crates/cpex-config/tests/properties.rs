//! The laws, one line each.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_config::{Environment, Templates, Value, load};
use proptest::prelude::*;

/// What YAML cares about.
const YAML: &[&str] = &[
    "a",
    "b: ",
    "- ",
    "\n",
    "\n  ",
    " ",
    ": ",
    "[",
    "]",
    "{ ",
    "}",
    ", ",
    "\"",
    "'",
    "|\n ",
    ">-\n ",
    "&a ",
    "*a",
    "!!str ",
    "!!set ",
    "? ",
    "# ",
    "---\n",
    "...\n",
    "%",
    "\t",
    "\r\n",
    "é",
    "1",
    "0x",
    "1:30",
    "2001-01-01",
    "~",
    "yes",
    "\\",
    "\u{e000}",
];

/// Expressions that print a value.
const PRINTS: &[&str] = &["{{ env.X }}", "{{ env.Y|upper }}", "{{ [env.X] }}", "{{ {'a': env.Y}|tojson }}"];

/// What else Jinja cares about.
const JINJA: &[&str] = &[
    "{% if env.X %}",
    "{% endif %}",
    "{% for i in env.X %}",
    "{% endfor %}",
    "{%- set z = 1 -%}",
    "{# c #}",
    "{% raw %}",
    "{% endraw %}",
    "{{",
    "}}",
    "{%",
    "{#",
    "<<: ",
];

fn texts(pieces: &[&[&'static str]]) -> impl Strategy<Value = String> + use<> {
    prop::collection::vec(prop::sample::select(pieces.concat()), 0..40).prop_map(|pieces| pieces.concat())
}

fn environment(x: &str, y: &str) -> Environment {
    Environment::from([("X".to_owned(), x.to_owned()), ("Y".to_owned(), y.to_owned())])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_loads_or_fails_inside_itself(text in texts(&[YAML, PRINTS, JINJA]), x in ".*", y in ".*") {
        let environment = environment(&x, &y);
        for templates in [Templates::Off, Templates::Values(&environment), Templates::Textual(&environment)] {
            if let Err(error) = load(&text, "p.yaml", templates) {
                let at = error.location().position;
                prop_assert!(at.line >= 1 && at.column >= 1, "{error}");
                if !matches!(templates, Templates::Textual(_)) {
                    prop_assert!(at.line <= text.matches(['\n', '\r']).count() + 1, "{error} {text:?}");
                }
            }
        }
    }

    #[test]
    fn a_value_is_one_scalar_whatever_it_contains(x in any::<String>(), y in "[\\x00-\\x7f\u{85}\u{2028}\u{e000}]{0,12}") {
        for value in [&x, &y] {
            let environment = environment(value, "");
            let text = "k: '{{ env.X }}'\nl: [a, \"{{ env.X }}\"]\nm: a {{ env.X }}\nn: |\n  {{ env.X }}\no: 1\n";
            let document = load(text, "p.yaml", Templates::Values(&environment)).unwrap();
            let root = document.root().unwrap();
            prop_assert!(matches!(root.value(), Value::Map(pairs) if pairs.len() == 5));
            let is = |node: &cpex_config::Node, expected: &str| matches!(node.value(), Value::Str(found) if found == expected);
            prop_assert!(is(root.get("k").unwrap(), value));
            let Value::Seq(items) = root.get("l").unwrap().value() else { panic!("no sequence") };
            prop_assert!(items.len() == 2 && is(&items[1], value));
        }
    }

    #[test]
    fn the_shape_of_a_document_does_not_depend_on_values(text in texts(&[YAML, PRINTS]), x in ".+", y in ".+") {
        let plain = environment("value", "value");
        let wild = environment(&x, &y);
        let shape = |environment| load(&text, "p.yaml", Templates::Values(environment)).map(|document| document.root().map(|root| shape(root.value())));
        if let (Ok(a), Ok(b)) = (shape(&plain), shape(&wild)) {
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn text_without_templates_reads_the_same_with_them(text in texts(&[YAML])) {
        let text = text.replace("{%", "%");
        let environment = Environment::new();
        let plain = load(&text, "p.yaml", Templates::Off);
        // Jinja takes one line break off the end of a template.
        let rendered = load(&(text.clone() + "\n"), "p.yaml", Templates::Values(&environment));
        match (plain, rendered) {
            (Ok(a), Ok(b)) => prop_assert!(a.root() == b.root()),
            (a, b) => prop_assert_eq!(a.is_err(), b.is_err(), "{:?}", text),
        }
    }
}

fn shape(value: &Value) -> String {
    match value {
        Value::Seq(items) | Value::Set(items) => {
            items.iter().map(|item| shape(item.value())).collect::<Vec<_>>().join(",")
        }
        Value::Map(pairs) | Value::Pairs(pairs) => pairs
            .iter()
            .map(|(key, value)| format!("{}:{}", shape(key.value()), shape(value.value())))
            .collect(),
        _ => "scalar".to_owned(),
    }
}
