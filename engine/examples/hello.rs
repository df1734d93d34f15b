//! The guide's minimal example in Rust: `cargo run -p duroxide --example hello`.

use duroxide::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

async fn say_hello(_: ActivityContext, name: String) -> Result<String, String> {
    Ok(format!("Hello, {name}!"))
}

async fn hello(ctx: OrchestrationContext, input: Greeting) -> Result<String, OrchestrationError> {
    ctx.activity("SayHello", &input.name).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builder()
        .register_activity("SayHello", say_hello)
        .register_orchestration("HelloWorkflow", hello)
        .build()?;
    let env = system_env();
    let store = Arc::new(SqliteProvider::in_memory(env.clone()).await?);
    let runtime = Runtime::start_registry(env, store, registry, RuntimeOptions::default())?;
    let client = runtime.client();

    let input = Greeting { name: "World".to_owned() };
    client.start_typed("hello-1", "HelloWorkflow", &input).await?;
    let output: String = client.wait_typed("hello-1", Duration::from_secs(30)).await?;
    #[expect(clippy::print_stdout, reason = "an example shows what it did")]
    {
        println!("{output}");
    }

    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
