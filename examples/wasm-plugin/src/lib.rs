//! A guard that need not be trusted: it denies tools, all of them to requests with some labels, and strikes words out of
//! what tools return.

use cpex_wasm_guest::{Call, Failure, Plugin, Reply, Violation, export, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    denied_tools: Vec<String>,
    /// Of the extensions, as far as its entry has the capability `read_labels`.
    #[serde(default)]
    denied_labels: Vec<String>,
    #[serde(default)]
    struck_words: Vec<String>,
}

struct Guard(Settings);

#[derive(Deserialize)]
struct Asked {
    name: String,
}

#[derive(Deserialize)]
struct Shown {
    security: Option<Security>,
}

#[derive(Deserialize)]
struct Security {
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Answered {
    name: String,
    result: Value,
}

impl Plugin for Guard {
    type Settings = Settings;

    fn start(settings: Settings) -> Result<Self, String> {
        if settings.struck_words.iter().any(String::is_empty) {
            return Err("struck_words: an empty word is everywhere".to_owned());
        }
        Ok(Self(settings))
    }

    fn invoke(&mut self, call: &Call) -> Result<Reply, Failure> {
        match call.hook() {
            "tool_pre_invoke" => self.before(call),
            "tool_post_invoke" => self.after(call),
            hook => Err(Failure::new(format!("it has nothing to do at {hook}"))),
        }
    }
}

impl Guard {
    fn before(&self, call: &Call) -> Result<Reply, Failure> {
        let tool: Asked = call.payload()?;
        if self.0.denied_tools.contains(&tool.name) {
            log::info(&format!("{} is denied", tool.name));
            return Ok(Reply::deny(
                Violation::new("TOOL_DENIED", "not on the list").detail("tool", tool.name),
            ));
        }
        let labels = call.extensions::<Shown>()?.and_then(|shown| shown.security).map(|shown| shown.labels);
        if let Some(label) = labels.iter().flatten().find(|label| self.0.denied_labels.contains(label)) {
            let violation = Violation::new("LABEL_DENIED", "no tools with this label");
            return Ok(Reply::deny(violation.detail("label", label.as_str())));
        }
        let mut context = call.context()?;
        let asked = context.state.get("asked").and_then(Value::as_u64).unwrap_or_default() + 1;
        context.state.insert("asked".to_owned(), asked.into());
        Ok(Reply::allow().metadata("asked", asked).context(context))
    }

    fn after(&self, call: &Call) -> Result<Reply, Failure> {
        let mut answer: Answered = call.payload()?;
        match strike(&mut answer.result, &self.0.struck_words) {
            0 => Ok(Reply::allow()),
            struck => Ok(Reply::modify(answer)?.metadata("struck", struck)),
        }
    }
}

/// Strikes the words out of every text, and says how many there were.
fn strike(value: &mut Value, words: &[String]) -> usize {
    match value {
        Value::String(text) => words
            .iter()
            .map(|word| {
                let found = text.matches(word.as_str()).count();
                *text = text.replace(word.as_str(), "█");
                found
            })
            .sum(),
        Value::Array(items) => items.iter_mut().map(|item| strike(item, words)).sum(),
        Value::Object(members) => members.values_mut().map(|member| strike(member, words)).sum(),
        _ => 0,
    }
}

export!(Guard);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_struck_out_wherever_they_are() {
        let mut value = json!({"text": "the plan, the plan", "more": ["a plan", 7]});
        assert_eq!(strike(&mut value, &["plan".to_owned()]), 3);
        assert_eq!(value, json!({"text": "the █, the █", "more": ["a █", 7]}));
    }

    #[test]
    fn a_denied_tool_is_denied() {
        let settings = json!({"denied_tools": ["shell"]});
        let mut guard = Guard::start(serde_json::from_value(settings).unwrap()).unwrap();
        let reply =
            guard.invoke(&Call::new("tool_pre_invoke", json!({"name": "shell", "args": {}}))).unwrap();
        let reply = serde_json::to_value(reply).unwrap();
        assert_eq!(reply["continue_processing"], false);
        assert_eq!(reply["violation"]["code"], "TOOL_DENIED");
    }
}
