//! The examples of the reference pages: every configuration is accepted, and what a page says comes of it does.
//!
//! `session.jsonl` of a page is played through the plugin above it, and `outcome.jsonl` says what comes of each line.

#![cfg(all(feature = "json_schema", feature = "policy", feature = "redis", feature = "url_filter"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::borrow::Cow;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use cpex_builtin::plugin::{
    Answer, Builtin, Call, Decision, Fact, KINDS, Keep, Keeps, Power, Reply, Request, Site, User,
};
use cpex_builtin::text::TooDeep;
use cpex_config::{Node, Templates};
use serde_json::{Map, Value, json};

struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            blocks.push(Block { info: info.to_owned(), text: text.join("\n") });
        }
    }
    blocks
}

fn to_json(node: &Node) -> Value {
    use cpex_config::Value as Yaml;
    match node.value() {
        Yaml::Bool(boolean) => (*boolean).into(),
        Yaml::Int(int) => i64::try_from(*int).unwrap().into(),
        Yaml::Float(float) => (*float).into(),
        Yaml::Str(text) => text.as_str().into(),
        Yaml::Seq(items) => items.iter().map(|item| to_json(item)).collect(),
        Yaml::Map(pairs) => {
            let key = |node: &Node| to_json(node).as_str().unwrap().to_owned();
            pairs.iter().map(|(name, value)| (key(name), to_json(value))).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

/// The plugins of a configuration, attached to their hooks.
fn plugins(yaml: &str, page: &str) -> Vec<Builtin> {
    let document = cpex_config::load(yaml, page, Templates::Off).unwrap();
    let config = to_json(document.root().unwrap());
    let make = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let mut plugin = Builtin::new(text("kind"), text("name"), entry["config"].clone())
            .unwrap_or_else(|error| panic!("{page}: {error}"));
        let sites: Vec<Site> =
            entry["hooks"].as_array().unwrap().iter().map(|hook| Site::of(hook.as_str().unwrap())).collect();
        let power = if text("mode") == "audit" { Power::Observe } else { Power::Full };
        let sites: Vec<&Site> = sites.iter().collect();
        plugin.attach(&sites, power).unwrap_or_else(|error| panic!("{page}: {error}"));
        plugin
    };
    config["plugins"].as_array().unwrap().iter().map(make).collect()
}

/// The `context` of a line of a session.
struct Context<'a>(&'a Value, Keep);

impl Context<'_> {
    fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.0[key].as_str().map(Cow::from)
    }
}

impl Request for Context<'_> {
    type Error = TooDeep;

    fn id(&self) -> Fact<'_, TooDeep> {
        Ok(self.text("request_id"))
    }

    fn user(&self) -> Result<User<'_>, TooDeep> {
        Ok(self.text("user").map_or(User::Unknown, User::Name))
    }

    fn tenant(&self) -> Fact<'_, TooDeep> {
        Ok(self.text("tenant_id"))
    }

    fn server(&self) -> Fact<'_, TooDeep> {
        Ok(self.text("server_id"))
    }

    fn header(&self, _name: &str) -> Fact<'_, TooDeep> {
        Ok(None)
    }

    fn keep(&self, _: &Keeps) -> Result<Keep, TooDeep> {
        Ok(self.1.clone())
    }
}

fn outcome(plugin: &Builtin, line: &Value) -> Value {
    let site = Site::of(line["hook"].as_str().unwrap());
    let request = Context(&line["context"], Keep::default());
    let answer = plugin.call(&Call { site: &site, payload: &line["payload"], request: &request }).unwrap();
    let reply: Reply<Value> = match answer {
        Answer::Now(reply) => reply,
        Answer::Later(later) => {
            let reply: Reply<Infallible> = futures_util::FutureExt::now_or_never(later).unwrap();
            reply.about()
        }
    };
    match reply.decision {
        Decision::Allow => json!({"decision": "allow"}),
        Decision::Modify(payload) => json!({"decision": "modify", "payload": payload}),
        Decision::Deny(denial) => json!({"decision": "deny", "code": denial.code}),
    }
}

#[test]
fn every_kind_has_a_page_whose_examples_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/builtin").canonicalize().unwrap();
    // Where the audit log of its page may write.
    let scratch = tempfile::tempdir().unwrap();
    std::env::set_current_dir(&scratch).unwrap();
    for name in KINDS.iter().map(|kind| kind.name).chain(["index"]) {
        let page = fs::read_to_string(folder.join(name).with_extension("md")).unwrap();
        let (mut current, mut outcomes, mut configs) = (Vec::new(), Vec::new(), 0);
        for block in blocks(&page) {
            match block.info.as_str() {
                "yaml" | r#"yaml title="plugins.yaml""# => {
                    current = plugins(&block.text, name);
                    configs += 1;
                }
                r#"json title="session.jsonl""# => {
                    let lines = block.text.lines().map(|line| serde_json::from_str(line).unwrap());
                    outcomes = lines.map(|line: Value| outcome(&current[0], &line)).collect();
                }
                r#"json title="outcome.jsonl""# => {
                    let said: Vec<Value> =
                        block.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                    assert_eq!(outcomes, said, "{name}");
                }
                _ => {}
            }
        }
        assert!(configs > 0, "{name} has no example");
    }
}
