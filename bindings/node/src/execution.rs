//! One resident execution as JavaScript drives it: the core's state machine behind calls
//! that answer in JSON text. It lives on the JavaScript thread, beside its generator.
//! Not here: any rule of replay or settling; those are the core's.

use crate::errors::{internal, told};
use crate::host::JsHost;
use crate::views::{Json, Outcome, undecodable};
use duroxide_core::{
    Activation, Await, Awaited, Ending, Execution, Failure, Payload, Refused, TimeMs,
};
use duroxide_runtime::host::TurnReply;
use napi_derive::napi;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A state machine, and the turn it is in.
#[napi]
pub struct NativeExecution {
    host: Arc<JsHost>,
    /// `None` once released.
    execution: Option<Box<Execution>>,
    turn: Option<CurrentTurn>,
}

struct CurrentTurn {
    reply: oneshot::Sender<TurnReply>,
    fingerprint: bool,
}

/// What a call answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer<T> {
    Ok(T),
    Refused(Failure),
    Pending,
    Stopped,
}

#[derive(Serialize)]
struct Start<'a> {
    start: Json<'a>,
}

impl NativeExecution {
    pub(crate) fn new(host: Arc<JsHost>, execution: Execution) -> Self {
        Self { host, execution: Some(Box::new(execution)), turn: None }
    }

    fn execution(&mut self) -> napi::Result<&mut Execution> {
        let execution = self.execution.as_deref_mut();
        execution.ok_or_else(|| told("INTERNAL", "this execution was released"))
    }

    /// Do something that may be refused, and answer with its value.
    fn answer<T: Serialize>(
        &mut self,
        act: impl FnOnce(&mut Execution) -> Result<T, Refused>,
    ) -> napi::Result<String> {
        json(&match act(self.execution()?) {
            Ok(value) => Answer::Ok(value),
            Err(refused) => refusal(refused),
        })
    }

    fn end(&mut self, ending: Ending) -> napi::Result<()> {
        match self.execution()?.end(ending) {
            Ok(()) | Err(Refused::Stopped) => Ok(()),
            Err(Refused::Failed(failure)) => self.end(Ending::Threw(failure)),
        }
    }
}

fn json(value: &impl Serialize) -> napi::Result<String> {
    serde_json::to_string(value).map_err(|error| internal("answer", &error))
}

fn refusal<T>(refused: Refused) -> Answer<T> {
    match refused {
        Refused::Failed(failure) => Answer::Refused(failure),
        Refused::Stopped => Answer::Stopped,
    }
}

/// What an await came to; a stored value that is not JSON is a failure of that await.
fn settled(outcome: &Outcome<'_>) -> napi::Result<String> {
    serde_json::to_string(outcome).or_else(|_| json(&Outcome(&Err(undecodable("a stored value")))))
}

#[napi]
impl NativeExecution {
    /// Begin a turn that was drained.
    #[napi(catch_unwind)]
    pub fn begin(&mut self, turn: f64) -> napi::Result<()> {
        let pending = self.host.take_turn(turn as u64);
        let pending = pending.ok_or_else(|| told("INTERNAL", "this turn is not waiting"))?;
        self.turn =
            Some(CurrentTurn { reply: pending.reply, fingerprint: pending.request.fingerprint });
        self.execution()?.begin_turn(pending.request.input);
        Ok(())
    }

    /// What user code is to do next: `{"start": input}`, `{"ok": value}` or `{"err": failure}`;
    /// nothing when the turn is over.
    #[napi(catch_unwind)]
    pub fn next(&mut self) -> napi::Result<Option<String>> {
        loop {
            match self.execution()?.next_activation() {
                None => return Ok(None),
                Some(Activation::Start { input }) if Json(&input).raw().is_some() => {
                    return json(&Start { start: Json(&input) }).map(Some);
                }
                Some(Activation::Start { .. }) => {
                    self.end(Ending::Threw(undecodable("the input of the orchestration")))?;
                }
                Some(Activation::Resume(outcome)) => return settled(&Outcome(&outcome)).map(Some),
                // Leaf mode only; there is nothing to poll.
                Some(Activation::Poll) => {}
            }
        }
    }

    /// Hand the turn's outcome to the engine; true when the execution has ended.
    #[napi(catch_unwind)]
    pub fn finish(&mut self) -> napi::Result<bool> {
        let turn = self.turn.take().ok_or_else(|| told("INTERNAL", "no turn was begun"))?;
        let execution = self.execution()?;
        let outcome = Box::new(execution.finish_turn());
        let fingerprint = turn.fingerprint.then(|| Box::new(execution.fingerprint()));
        let ended = outcome.commit.end.is_some();
        // Nobody waits when the engine gave the turn up; it evicts this copy then.
        let _ = turn.reply.send(TurnReply::Ran { outcome, fingerprint });
        Ok(ended)
    }

    /// The generator yielded a tree.
    #[napi(js_name = "await", catch_unwind)]
    pub fn await_tree(&mut self, tree: String) -> napi::Result<String> {
        let tree: Await = serde_json::from_str(&tree).map_err(|e| internal("tree", &e))?;
        match self.execution()?.await_tree(tree) {
            Ok(Awaited::Ready(outcome)) => settled(&Outcome(&outcome)),
            Ok(Awaited::Pending) => json(&Answer::<()>::Pending),
            Err(refused) => json(&refusal::<()>(refused)),
        }
    }

    /// The generator returned.
    #[napi(catch_unwind)]
    pub fn complete(&mut self, output: String) -> napi::Result<()> {
        self.end(Ending::Returned(Payload::json(output)))
    }

    /// The generator threw.
    #[napi(catch_unwind)]
    pub fn fail(&mut self, failure: String) -> napi::Result<()> {
        let failure = serde_json::from_str(&failure).map_err(|e| internal("failure", &e))?;
        self.end(Ending::Threw(failure))
    }

    /// Set or reset the custom status.
    #[napi(catch_unwind)]
    pub fn set_status(&mut self, status: Option<String>) -> napi::Result<String> {
        self.answer(|execution| execution.set_status(status))
    }

    /// The custom status.
    #[napi(catch_unwind)]
    pub fn status(&mut self) -> napi::Result<Option<String>> {
        Ok(self.execution()?.status().map(str::to_owned))
    }

    /// Set a key.
    #[napi(catch_unwind)]
    pub fn kv_set(&mut self, key: String, value: String) -> napi::Result<String> {
        self.answer(|execution| execution.kv_set(&key, &value))
    }

    /// Clear a key, or all.
    #[napi(catch_unwind)]
    pub fn kv_clear(&mut self, key: Option<String>) -> napi::Result<String> {
        self.answer(|execution| execution.kv_clear(key.as_deref()))
    }

    /// Remove keys last written at or before a time.
    #[napi(catch_unwind)]
    pub fn kv_prune(&mut self, before: f64) -> napi::Result<String> {
        self.answer(|execution| execution.kv_prune(TimeMs(before as u64)))
    }

    /// The value of a key.
    #[napi(catch_unwind)]
    pub fn kv_get(&mut self, key: String) -> napi::Result<String> {
        self.answer(|execution| execution.kv_get(&key))
    }

    /// Every key with its value.
    #[napi(catch_unwind)]
    pub fn kv_all(&mut self) -> napi::Result<String> {
        self.answer(Execution::kv_all)
    }

    /// Whether what runs now was recorded before.
    #[napi(catch_unwind)]
    pub fn is_replaying(&mut self) -> napi::Result<bool> {
        Ok(self.execution()?.is_replaying())
    }

    /// Drop everything, without any effect.
    #[napi]
    pub fn release(&mut self) {
        self.execution = None;
        self.turn = None;
    }
}
