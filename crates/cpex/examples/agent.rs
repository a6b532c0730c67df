//! An agent's loop with hooks around its model, its tools and the stream of its answer. The model is a script, so that
//! this runs anywhere.

use cpex::config::{Mode, PluginConfig};
use cpex::hooks::message::{Message, Role};
use cpex::hooks::{
    CMF_LLM_INPUT, CMF_LLM_OUTPUT, MessagePayload, TOOL_POST_INVOKE, TOOL_PRE_INVOKE, ToolPostInvoke,
    ToolPreInvoke, message::Part,
};
use cpex::{BoxError, Context, Manager, PluginContext, Reply, Violation, plugin};
use serde_json::{Value, json};

/// What a model says next: a tool to call, or its answer.
enum Turn {
    Call(ToolPreInvoke),
    Answer(String),
}

/// Stands for a model: looks something up, tries what it may not, then answers.
fn model(conversation: &[Message]) -> Turn {
    match conversation.len() {
        1 => Turn::Call(ToolPreInvoke::new("lookup").with("customer", "Ann")),
        2 => Turn::Call(ToolPreInvoke::new("refund").with("amount", 5000)),
        _ => {
            Turn::Answer("I have looked Ann up. A person has to approve the refund. I promise it.".to_owned())
        }
    }
}

fn tool(call: &ToolPreInvoke) -> Value {
    match &*call.name {
        "lookup" => json!("Ann, ann@example.com, customer since 2019"),
        _ => json!("done"),
    }
}

/// Keeps refunds small, and remembers in the request how often it had to.
struct Refunds {
    limit: u64,
}

#[plugin]
impl Refunds {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke, context: &mut PluginContext) -> Reply<ToolPreInvoke> {
        let amount = call.arg("amount").and_then(Value::as_u64).unwrap_or(0);
        if call.name != "refund" || amount <= self.limit {
            return Reply::allow();
        }
        context.shared_mut().insert("refused_refunds".into(), 1.into());
        Reply::deny(Violation::new("REFUND_LIMIT", "needs a person").detail("limit", self.limit))
    }
}

/// Takes e-mail addresses out of what tools return.
struct Addresses;

#[plugin]
impl Addresses {
    #[hook(TOOL_POST_INVOKE)]
    fn hide(&self, answer: &ToolPostInvoke) -> Reply<ToolPostInvoke> {
        let Some(text) = answer.result.as_str() else { return Reply::allow() };
        let hidden = text.split(' ').map(|word| if word.contains('@') { "[address]" } else { word });
        let result = hidden.collect::<Vec<_>>().join(" ").into();
        Reply::modify(ToolPostInvoke { result, ..answer.clone() })
    }
}

/// Lets the model promise nothing.
struct Promises;

#[plugin]
impl Promises {
    #[hook(CMF_LLM_OUTPUT)]
    fn check(&self, payload: &MessagePayload) -> Reply<MessagePayload> {
        if text(payload).contains("promise") {
            return Reply::deny(Violation::new("PROMISE", "the model promises something"));
        }
        Reply::allow()
    }
}

fn text(payload: &MessagePayload) -> String {
    let texts = payload.message.content.iter().filter_map(|part| match part {
        Part::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Hands an answer on as it comes, sentence by sentence, and stops it at the first that the plugins deny.
async fn stream(manager: &Manager, answer: &str, context: &Context) -> Result<(), BoxError> {
    for sentence in answer.split_inclusive(". ") {
        let said = MessagePayload::from(Message::text(Role::Assistant, sentence.trim()));
        match manager.invoke(&CMF_LLM_OUTPUT, &said, context).await?.into_payload(said) {
            Ok(said) => println!("the model: {}", text(&said)),
            Err(violation) => {
                println!("the model was stopped: {violation}");
                break;
            }
        }
    }
    Ok(())
}

/// Calls a tool, if the plugins let it, and says what the model is to be told.
async fn call(manager: &Manager, call: ToolPreInvoke, context: &Context) -> Result<String, BoxError> {
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, &call, context).await?;
    let call = match outcome.into_payload(call) {
        Ok(call) => call,
        Err(violation) => return Ok(format!("not allowed: {violation}")),
    };
    let answer = ToolPostInvoke { result: tool(&call), name: call.name };
    let outcome = manager.invoke(&TOOL_POST_INVOKE, &answer, context).await?;
    Ok(outcome.into_payload(answer)?.result.as_str().unwrap_or_default().to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let sees = |payload: &MessagePayload, _: &mut PluginContext| println!("to the model: {}", text(payload));
    let manager = Manager::builder()
        .plugin("refunds", Refunds { limit: 100 })
        .plugin(PluginConfig::new("addresses").mode(Mode::Transform), Addresses)
        .plugin("promises", Promises)
        .on(&CMF_LLM_INPUT, PluginConfig::new("sees").mode(Mode::Audit), sees)
        .start()
        .await?;
    let context = Context::new("conversation-1").user("support");
    let mut conversation = vec![Message::text(Role::User, "Refund Ann 5000 euros.")];
    let answer = loop {
        let last = MessagePayload::from(conversation[conversation.len() - 1].clone());
        drop(manager.invoke(&CMF_LLM_INPUT, &last, &context).await?.into_result()?);
        match model(&conversation) {
            Turn::Answer(answer) => break answer,
            Turn::Call(wanted) => {
                let said = call(&manager, wanted, &context).await?;
                conversation.push(Message::text(Role::Tool, said));
            }
        }
    };
    stream(&manager, &answer, &context).await?;
    println!("refused refunds: {}", context.shared()["refused_refunds"]);
    manager.shutdown().await;
    Ok(())
}
