//! Everything that this process logs, at every level, from the first test on.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

/// The text logged so far.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Log from here on, if not yet; gives all lines so far.
pub(crate) fn lines() -> Vec<String> {
    static TEXT: OnceLock<Text> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let text = Text::default();
        let writer = text.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .init();
        text
    });
    let bytes = text.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

/// Fails if a line has one of these, and shows the first that has.
pub(crate) fn has_none_of(secrets: &[&str]) {
    let lines = lines();
    let leak = lines.iter().find(|line| secrets.iter().any(|secret| line.contains(secret)));
    assert_eq!(leak, None);
}
