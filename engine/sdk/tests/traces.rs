//! Traces of an orchestration appear once, with the fields a log reader filters by.

use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry};
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

#[test]
fn traces_are_silent_in_replay_and_carry_their_fields() {
    let code = |ctx: OrchestrationContext, (): ()| async move {
        ctx.trace_info("before");
        ctx.activity::<()>("Work", &()).await?;
        ctx.trace_warn("after");
        Ok::<_, OrchestrationError>(())
    };
    let registry = Registry::builder().register_orchestration("It", code).build().unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let mut run = ByHand::start(&registry, "It", &());
        // Every turn is also replayed cold, and here the copy is evicted as well.
        run.turn();
        run.evict().activity_completes("Work", &()).turn();
    });
    let fields = "instance_id=\"test\" execution_id=1 orchestration_name=\"It\" \
                  orchestration_version=\"1.0.0\"";
    assert_eq!(
        log.lines(),
        [
            format!(" INFO duroxide::orchestration: before {fields}"),
            format!(" WARN duroxide::orchestration: after {fields}"),
        ]
    );
}
