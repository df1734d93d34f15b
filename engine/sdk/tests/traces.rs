//! Traces carry the fields a log reader filters by; those of an orchestration appear once.

use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What was logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged while this runs, line by line.
fn logged(run: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    log.lines()
}

const FIELDS: &str = "instance_id=\"test\" execution_id=1 orchestration_name=\"It\" \
                      orchestration_version=\"1.0.0\"";

#[test]
fn traces_are_silent_in_replay_and_carry_their_fields() {
    let code = |ctx: OrchestrationContext, (): ()| async move {
        ctx.trace_info("before");
        ctx.activity::<()>("Work", &()).await?;
        ctx.trace_warn("after");
        ctx.trace_error("badly");
        ctx.trace_debug("closely");
        Ok::<_, OrchestrationError>(())
    };
    let registry = Registry::builder().register_orchestration("It", code).build().unwrap();
    let lines = logged(|| {
        let mut run = ByHand::start(&registry, "It", &());
        // Every turn is also replayed cold, and here the copy is evicted as well.
        run.turn();
        run.evict().activity_completes("Work", &()).turn();
    });
    assert_eq!(
        lines,
        [
            format!(" INFO duroxide::orchestration: before {FIELDS}"),
            format!(" WARN duroxide::orchestration: after {FIELDS}"),
            format!("ERROR duroxide::orchestration: badly {FIELDS}"),
            format!("DEBUG duroxide::orchestration: closely {FIELDS}"),
        ]
    );
}

#[test]
fn traces_of_an_activity_name_it_and_its_worker() {
    let work = |ctx: ActivityContext, (): ()| async move {
        ctx.trace_info("one");
        ctx.trace_warn("two");
        ctx.trace_error("three");
        ctx.trace_debug("four");
        Ok::<_, String>(())
    };
    let code =
        |ctx: OrchestrationContext, (): ()| async move { ctx.activity::<()>("Work", &()).await };
    let registry = Registry::builder()
        .register_activity("Work", work)
        .register_orchestration("It", code)
        .build()
        .unwrap();
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    let lines = logged(|| assert_eq!(run.perform_activity().as_deref(), Some("Work")));
    let fields = format!("{FIELDS} activity_name=\"Work\" activity_id=2 worker_id=\"by hand\"");
    assert_eq!(
        lines,
        [
            format!(" INFO duroxide::activity: one {fields}"),
            format!(" WARN duroxide::activity: two {fields}"),
            format!("ERROR duroxide::activity: three {fields}"),
            format!("DEBUG duroxide::activity: four {fields}"),
        ]
    );
}
