//! A conversation: one message an execution, from a queue that survives continue-as-new, and
//! the reply in the custom status. All replies come from the node that has the model loaded.

use crate::{Effects, Outcome, Scenario, Step, activity};
use duroxide_sdk::{
    Activity, Orchestration, OrchestrationContext, OrchestrationError, Registry, RegistryError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Two messages, each sent when the one before was answered, and a goodbye.
pub fn scenario() -> Scenario {
    let steps = vec![
        say(1, "Hello!"),
        Step::AwaitStatus(r#"{"seq":1,"reply":"You said: Hello!"}"#),
        say(2, "How are you?"),
        Step::AwaitStatus(r#"{"seq":2,"reply":"You said: How are you?"}"#),
        say(3, "bye"),
    ];
    chat("chat", steps, Outcome::Completed(json!("3 messages")))
}

/// Nobody says goodbye: the client gives up, and what was said is saved.
pub fn cancelled_scenario() -> Scenario {
    let steps = vec![
        say(1, "Hello!"),
        Step::AwaitStatus(r#"{"seq":1,"reply":"You said: Hello!"}"#),
        Step::Cancel("the tab was closed"),
    ];
    chat("chat-cancelled", steps, Outcome::Failed("canceled: the tab was closed"))
}

fn say(seq: u32, text: &str) -> Step {
    Step::Enqueue("inbox", json!({ "seq": seq, "text": text }))
}

fn chat(name: &'static str, steps: Vec<Step>, expected: Outcome) -> Scenario {
    Scenario {
        name,
        registry,
        orchestration: CHAT.name(),
        version: None,
        input: json!([]),
        steps,
        expected,
        lasts: Duration::ZERO,
    }
}

const GENERATE: Activity<String, String> = Activity::new("Generate");
const SAVE: Activity<Vec<String>, ()> = Activity::new("SaveTranscript");
const CHAT: Orchestration<Vec<String>, String> = Orchestration::new("Chat");

#[derive(Deserialize)]
struct Message {
    seq: u32,
    text: String,
}

#[derive(Serialize)]
struct Reply<'a> {
    seq: u32,
    reply: &'a str,
}

fn registry(effects: &Effects) -> Result<Registry, RegistryError> {
    Registry::builder()
        .register_activity(GENERATE, activity(effects, |text| Ok(format!("You said: {text}"))))
        .register_activity(SAVE, activity(effects, |_| Ok(())))
        .register_orchestration(CHAT, chat_bot)
        .build()
}

async fn chat_bot(
    ctx: OrchestrationContext,
    mut said: Vec<String>,
) -> Result<String, OrchestrationError> {
    let message: Message = match ctx.dequeue("inbox").await {
        Ok(message) => message,
        Err(error) => {
            ctx.call(SAVE, &said).await?;
            return Err(error);
        }
    };
    let model = ctx.instance_id().to_string();
    let reply = ctx.call(GENERATE, &message.text).on_session(model).await?;
    let reply = Reply { seq: message.seq, reply: &reply };
    ctx.set_custom_status(serde_json::to_string(&reply).map_err(|error| error.to_string())?)?;
    let over = message.text == "bye";
    said.push(message.text);
    if over {
        return Ok(format!("{} messages", said.len()));
    }
    ctx.continue_as(CHAT, &said).await
}
