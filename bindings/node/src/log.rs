//! The log: set up once for the process, by `initTracing` or by the first Runtime, on
//! stderr or in a file, never on stdout. `RUST_LOG` beats the level asked for. Also the
//! trace calls of both contexts.

use crate::errors::{internal, told};
use napi_derive::napi;
use serde::Deserialize;
use std::fs::OpenOptions;
use std::sync::{Mutex, OnceLock};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What the log is to be like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogSettings {
    log_level: Option<String>,
    log_format: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileSettings {
    log_file: String,
    #[serde(flatten)]
    settings: LogSettings,
}

/// The settings that hold for this process.
static SETTINGS: OnceLock<LogSettings> = OnceLock::new();

const LEVEL: &str = "info";
const FORMAT: &str = "pretty";

impl LogSettings {
    /// Whether something that is asked for here, and not merely left out, is otherwise there.
    fn differ_from(&self, held: &Self) -> bool {
        let differs = |asked: &Option<String>, holds: &Option<String>, default| {
            asked.as_deref().is_some_and(|asked| asked != holds.as_deref().unwrap_or(default))
        };
        differs(&self.log_level, &held.log_level, LEVEL)
            || differs(&self.log_format, &held.log_format, FORMAT)
    }

    fn filter(&self) -> EnvFilter {
        let level = self.log_level.as_deref().unwrap_or(LEVEL);
        std::env::var(EnvFilter::DEFAULT_ENV)
            .ok()
            .filter(|wanted| !wanted.trim().is_empty())
            .and_then(|wanted| EnvFilter::try_new(wanted).ok())
            .unwrap_or_else(|| EnvFilter::new(level))
    }

    fn install<W>(&self, writer: W, colours: bool) -> Result<(), String>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let log = tracing_subscriber::fmt()
            .with_env_filter(self.filter())
            .with_ansi(colours)
            .with_writer(writer);
        let installed = match self.log_format.as_deref() {
            Some("json") => log.json().try_init(),
            Some("compact") => log.compact().try_init(),
            _ => log.try_init(),
        };
        installed.map_err(|error| error.to_string())
    }
}

/// The log of a Runtime. The first one's settings hold; a later one that asks for
/// something else is told so.
pub(crate) fn set_up(wanted: &LogSettings) {
    let mut first = false;
    let held = SETTINGS.get_or_init(|| {
        first = true;
        wanted.clone()
    });
    if first {
        use std::io::IsTerminal;
        // Another subscriber in this process is somebody's choice: the log goes there.
        let _ = held.install(std::io::stderr, std::io::stderr().is_terminal());
    } else if wanted.differ_from(held) {
        tracing::warn!(
            target: "duroxide",
            "logLevel and logFormat of a later Runtime are ignored: the first Runtime's hold for the process"
        );
    }
}

/// Send the log to a file.
#[napi]
pub fn init_tracing(config: String) -> napi::Result<()> {
    let config: FileSettings =
        serde_json::from_str(&config).map_err(|error| internal("config", &error))?;
    let file = OpenOptions::new().create(true).append(true).open(&config.log_file);
    let file = file.map_err(|error| {
        told("TRACING", &format!("Failed to open log file '{}': {error}", config.log_file))
    })?;
    if SETTINGS.set(config.settings.clone()).is_err() {
        return Err(told("TRACING", "Failed to init tracing: logging is set up already"));
    }
    let installed = config.settings.install(Mutex::new(file), false);
    installed.map_err(|error| told("TRACING", &format!("Failed to init tracing: {error}")))
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    instance_id: std::borrow::Cow<'a, str>,
    execution_id: u64,
    #[serde(borrow)]
    orchestration_name: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    orchestration_version: std::borrow::Cow<'a, str>,
    activity_name: Option<String>,
    activity_id: Option<u64>,
    worker_id: Option<String>,
}

macro_rules! trace_at {
    ($level:ident, $target:literal, $fields:expr, $message:expr) => {
        tracing::$level!(
            target: $target,
            instance_id = %$fields.instance_id,
            execution_id = $fields.execution_id,
            orchestration_name = %$fields.orchestration_name,
            orchestration_version = %$fields.orchestration_version,
            activity_name = $fields.activity_name.as_deref(),
            activity_id = $fields.activity_id,
            worker_id = $fields.worker_id.as_deref(),
            "{}", $message
        )
    };
}

macro_rules! trace_to {
    ($target:literal, $level:expr, $fields:expr, $message:expr) => {
        match $level {
            "error" => trace_at!(error, $target, $fields, $message),
            "warn" => trace_at!(warn, $target, $fields, $message),
            "debug" => trace_at!(debug, $target, $fields, $message),
            _ => trace_at!(info, $target, $fields, $message),
        }
    };
}

/// A trace call of user code.
#[napi]
pub fn trace(target: String, level: String, fields: String, message: String) -> napi::Result<()> {
    let fields: Fields = serde_json::from_str(&fields).map_err(|e| internal("fields", &e))?;
    if target == "activity" {
        trace_to!("duroxide::activity", level.as_str(), fields, message);
    } else {
        trace_to!("duroxide::orchestration", level.as_str(), fields, message);
    }
    Ok(())
}
