//! One execution as JavaScript drives it: the core's state machine behind calls that answer
//! in JSON text. It lives on the JavaScript thread, beside its generator. Its turns come from
//! a host, or it is only replayed, from a recorded history.
//! Not here: any rule of replay or settling; those are the core's.

use crate::details::FailuresGiven;
use crate::errors::{internal, told};
use crate::host::JsHost;
use crate::views::{Json, Outcome, undecodable};
use duroxide_core::{
    Activation, Await, Awaited, CompatFlags, Ending, Execution, Failure, InputChange, Nonce,
    Opening, Payload, Refused, TimeMs, TurnInput,
};
use duroxide_runtime::host::TurnReply;
use napi_derive::napi;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A state machine, and the turn it is in.
#[napi]
pub struct NativeExecution {
    turns: Turns,
    /// `None` once released.
    execution: Option<Box<Execution>>,
    turn: Option<CurrentTurn>,
    given: FailuresGiven,
}

/// Where the turns come from.
enum Turns {
    /// A Runtime, which commits them.
    Host(Arc<JsHost>),
    /// A recorded history, in one turn that nobody commits; and what it came to.
    Recorded { input_changes: Vec<InputChange> },
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
    pub(crate) fn of_host(host: Arc<JsHost>, opening: Opening) -> Self {
        Self::open(Turns::Host(host), opening)
    }

    /// One that only replays the history it is opened from.
    pub(crate) fn of_history(opening: Opening) -> Self {
        Self::open(Turns::Recorded { input_changes: Vec::new() }, opening)
    }

    fn open(turns: Turns, opening: Opening) -> Self {
        let given = FailuresGiven::in_history(opening.history.events());
        Self { turns, execution: Some(Box::new(Execution::open(opening))), turn: None, given }
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

/// The input of a turn for which nothing has arrived.
fn nothing_new() -> TurnInput {
    TurnInput {
        arrivals: Vec::new(),
        unread: Vec::new(),
        mail_read: Vec::new(),
        more_mail: Vec::new(),
        nonce: Nonce(0),
        flags: CompatFlags::KNOWN,
        raise: CompatFlags::NONE,
    }
}

#[napi]
impl NativeExecution {
    /// Begin a turn that was drained, or the one of a recorded history.
    #[napi(catch_unwind)]
    pub fn begin(&mut self, turn: f64) -> napi::Result<()> {
        let input = match &self.turns {
            Turns::Recorded { .. } => nothing_new(),
            Turns::Host(host) => {
                let pending = host.take_turn(turn as u64);
                let pending =
                    pending.ok_or_else(|| told("INTERNAL", "this turn is not waiting"))?;
                let fingerprint = pending.request.fingerprint;
                self.turn = Some(CurrentTurn { reply: pending.reply, fingerprint });
                pending.request.input
            }
        };
        self.given.arrived(&input.arrivals);
        self.execution()?.begin_turn(input);
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
        let turn = self.turn.take();
        let execution = self.execution()?;
        let outcome = Box::new(execution.finish_turn());
        if let Turns::Recorded { input_changes } = &mut self.turns {
            input_changes.extend(outcome.input_changes);
            return Ok(outcome.commit.end.is_some());
        }
        let turn = turn.ok_or_else(|| told("INTERNAL", "no turn was begun"))?;
        let execution = self.execution()?;
        let fingerprint = turn.fingerprint.then(|| Box::new(execution.fingerprint()));
        let ended = outcome.commit.end.is_some();
        // Nobody waits when the engine gave the turn up; it evicts this copy then.
        let _ = turn.reply.send(TurnReply::Ran { outcome, fingerprint });
        Ok(ended)
    }

    /// What the replay of a recorded history came to.
    #[napi(catch_unwind)]
    pub fn verdict(&mut self) -> napi::Result<String> {
        let changes = match &self.turns {
            Turns::Recorded { input_changes } => input_changes.clone(),
            Turns::Host(_) => Vec::new(),
        };
        let changes: Vec<_> = changes
            .iter()
            .map(|change| json!({ "eventId": change.event, "message": change.message }))
            .collect();
        let execution = self.execution()?;
        let divergence = execution.divergence().map(|divergence| {
            json!({
                "eventId": divergence.event,
                "expected": divergence.history,
                "actual": divergence.code,
                "message": divergence.to_string(),
            })
        });
        json(&json!({ "divergence": divergence, "inputChanges": changes }))
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
        let failure = self.given.with_details(failure);
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

    /// Whether what runs now was recorded before. What follows a split turn was not, but
    /// a replay is to stay silent.
    #[napi(catch_unwind)]
    pub fn is_replaying(&mut self) -> napi::Result<bool> {
        let recorded = matches!(self.turns, Turns::Recorded { .. });
        Ok(recorded || self.execution()?.is_replaying())
    }

    /// Drop everything, without any effect.
    #[napi]
    pub fn release(&mut self) {
        self.execution = None;
        self.turn = None;
    }
}
