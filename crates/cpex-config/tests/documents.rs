//! Collections, anchors, merges, tags and limits, as PyYAML's `safe_load` has them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::portable;
use cpex_config::{Document, Step, Templates, load};
use serde_json::{Value as Json, json};

fn document(text: &str) -> Document {
    load(text, "d.yaml", Templates::Off).unwrap()
}

fn value(text: &str) -> Json {
    portable(document(text).root().unwrap().value())
}

fn error(text: &str) -> String {
    load(text, "d.yaml", Templates::Off).unwrap_err().to_string()
}

#[test]
fn a_text_without_content_has_no_root() {
    for text in ["", "\n", "# only a comment\n", "\u{feff}"] {
        assert!(document(text).root().is_none(), "{text:?}");
    }
}

#[test]
fn merges_come_first_and_own_keys_win() {
    let merged = value("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  x: 9\n  <<: [*a, *b]\n");
    let pairs = merged[2][1].as_array().unwrap();
    let keys: Vec<&str> = pairs.iter().map(|pair| pair[0]["str"].as_str().unwrap()).collect();
    assert_eq!(keys, ["y", "z", "x", "y", "x"]);
    let text = "base: &a {x: 1}\nc: {<<: *a, x: 2}\n";
    let document = document(text);
    let c = document.root().unwrap().get("c").unwrap();
    assert_eq!(portable(c.get("x").unwrap().value()), json!({"int": "2"}));
    assert!(document.problems().is_empty(), "an override is no duplicate");
    assert_eq!(value("'<<': 1\n"), json!([[{"str": "<<"}, {"int": "1"}]]));
    assert_eq!(value("=: 1\n"), json!([[{"str": "="}, {"int": "1"}]]));
    assert!(error("<<: 1\n").starts_with("d.yaml:1:5: an integer; expected a mapping"));
    assert!(error("<<: [1]\n").starts_with("d.yaml:1:6: an integer; expected a mapping to merge"));
}

#[test]
fn tagged_collections() {
    assert_eq!(value("!!set {a, b}"), json!([{"str": "a"}, {"str": "b"}]));
    assert_eq!(value("!!omap [a: 1]"), json!([[{"str": "a"}, {"int": "1"}]]));
    assert_eq!(
        value("!!pairs [a: 1, a: 2]"),
        json!([[{"str": "a"}, {"int": "1"}], [{"str": "a"}, {"int": "2"}]])
    );
    assert_eq!(value("!!seq [a]"), json!([{"str": "a"}]));
    assert_eq!(value("!<tag:yaml.org,2002:int> '7'"), json!({"int": "7"}));
    assert_eq!(value("%TAG !y! tag:yaml.org,2002:\n---\n!y!str 7"), json!({"str": "7"}));
    for text in [
        "!!seq {a: 1}",
        "!!map [a]",
        "!!str [a]",
        "!!set a",
        "!!omap {a: 1}",
        "!!omap [{a: 1, b: 2}]",
        "!!foo a",
        "!foo a",
        "!!python/name:os.system x",
    ] {
        assert!(error(text).contains("expected"), "{text}");
    }
}

#[test]
fn keys_that_are_no_strings_stay_what_they_are() {
    assert_eq!(value("1: a\nyes: b\nnull: c\n2001-01-01: d\n").as_array().unwrap().len(), 4);
    assert!(error("[1, 2]: a\n").starts_with("d.yaml:1:1: a sequence as a key; expected a scalar"));
    assert!(error("? {a: 1}\n: a\n").contains("a mapping as a key"));
}

#[test]
fn duplicate_keys_are_reported_and_the_last_wins() {
    let document = document("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n1: x\ntrue: y\n");
    assert_eq!(portable(document.root().unwrap().get("a").unwrap().value()), json!({"int": "3"}));
    let problems: Vec<String> =
        document.problems().iter().map(|problem| format!("{} {problem}", problem.position)).collect();
    assert_eq!(
        problems,
        [
            "4:3 duplicate key \"c\", first given at 3:3; the last one counts",
            "5:1 duplicate key \"a\", first given at 1:1; the last one counts",
            "7:1 duplicate key \"true\", first given at 6:1; the last one counts",
        ]
    );
}

#[test]
fn one_document_only() {
    assert!(document("---\na: 1\n...\n").root().is_some());
    assert!(error("a: 1\n---\nb: 2\n").starts_with("d.yaml:2:1: another document begins here"));
}

#[test]
fn aliases_cannot_explode() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(error(&bomb).contains("aliases unfold to exceed the limit"));
    let mut merges = "a0: &a0 {x: 1, y: 2, z: 3}\n".to_owned();
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        merges.push_str(&format!("a{level}: &a{level} {{<<: [{items}]}}\n"));
    }
    assert!(error(&merges).contains("aliases unfold to exceed the limit"));
    assert!(error("&a [*a]\n").contains("an alias to the collection it stands in"));
    assert!(error("*a\n").starts_with("d.yaml:1:1:"));
}

#[test]
fn nesting_has_a_limit() {
    assert!(error(&"[".repeat(100_000)).contains("limit"));
    assert!(error(&"[".repeat(200)).contains("nesting"));
    assert!(error(&"- ".repeat(1000)).contains("nesting"));
    let mut chain = "- &a0 [x]\n".to_owned();
    for level in 1..300 {
        chain.push_str(&format!("- &a{level} [*a{}]\n", level - 1));
    }
    assert!(error(&chain).contains("nesting"));
}

#[test]
fn errors_carry_their_position() {
    for (text, expected) in [
        ("a: [1\n", "d.yaml:1:4: this bracket is never closed; close every `[`"),
        ("a:\n  b: {c: [1, 2]", "d.yaml:2:6: this bracket is never closed"),
        ("a: b: c\n", "d.yaml:1:5: "),
        ("a: 1\n\tb: 2\n", "d.yaml:1:4: "),
        ("a: \u{1}\n", "d.yaml:1:4: the character U+0001 is not allowed"),
        ("é: 'a\n", "d.yaml:"),
        ("d: 2001-02-30\n", "d.yaml:1:4: \"2001-02-30\" is not a date"),
        ("a: 1\nb: !!int x\n", "d.yaml:2:4: \"x\" is not an integer"),
        ("a: <<\n", "d.yaml:1:4: \"<<\" is not usable here"),
    ] {
        assert!(error(text).starts_with(expected), "{}", error(text));
    }
}

#[test]
fn locate_finds_the_deepest_node_of_a_path() {
    let document = document("plugins:\n  - name: a\n    mcp:\n      url: x\n");
    let at = |path: &[Step<'_>]| document.locate(path).unwrap().to_string();
    assert_eq!(at(&[]), "1:1");
    assert_eq!(at(&[Step::Key("plugins"), Step::Index(0), Step::Key("mcp"), Step::Key("url")]), "4:12");
    assert_eq!(at(&[Step::Key("plugins"), Step::Index(0), Step::Key("kind")]), "2:5");
    assert_eq!(at(&[Step::Key("plugins"), Step::Index(7)]), "2:3");
    assert_eq!(at(&[Step::Index(0)]), "1:1");
}

#[test]
fn brackets_and_quotes_ignore_indentation() {
    let list = json!([[{"str": "p"}, [[[{"str": "h"}, [{"str": "x"}, {"str": "y"}]]]]]]);
    for text in [
        "p:\n- h: [\n    x,\n    y\n  ]\n",
        "p:\n- h: [\n  x,\n  y\n  ]\n",
        "p:\n- h: [\nx,\ny\n]\n",
        "p:\n- h:\n   [x\n,\n y]\n",
    ] {
        assert_eq!(value(text), list, "{text:?}");
    }
    assert_eq!(value("a:\n  b: {\n  c: 1,\n}\n"), value("a: {b: {c: 1}}"));
    assert_eq!(value("a:\n  b: \"x\n\n  y\nz\"\n"), value("a: {b: \"x\\ny z\"}"));
    let document = document("a:\n  b: [\n  c,\nd\n]\ne: {\n}\nf: !!str g\n");
    assert_eq!(
        document.locate(&[Step::Key("a"), Step::Key("b"), Step::Index(1)]).unwrap().to_string(),
        "4:1"
    );
    assert_eq!(document.locate(&[Step::Key("f")]).unwrap().to_string(), "8:4");
    assert!(error("a:\n  b: [\n  c\n").starts_with("d.yaml:2:6"));
}

#[test]
fn a_block_scalar_ends_as_the_text_does() {
    assert_eq!(value("a: |\n  b"), value("a: b"));
    assert_eq!(value("a: |\n  b\n"), value("a: \"b\\n\""));
    assert_eq!(value("a: >\n  b\n  "), value("a: \"b\\n\""));
    assert_eq!(value("a: |\n  b\n# end"), value("a: \"b\\n\""));
}

#[test]
fn anchors_have_simple_names() {
    assert_eq!(value("[&a-b_1 x, *a-b_1, y]"), json!([{"str": "x"}, {"str": "x"}, {"str": "y"}]));
    for text in ["&#34;x&#34;", "a: &lt;b&gt;", "a: # &x\n  &a.b c", "[&a:b c]"] {
        assert!(error(text).contains("an anchor takes letters"), "{text}");
    }
}
