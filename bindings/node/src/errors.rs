//! Errors on their way to TypeScript: a JSON object with a stable code and a message,
//! which `native.ts` turns into a class. Not here: failures of user code, which are data.

use duroxide_provider::ProviderError;
use duroxide_runtime::ClientError;
use serde::Serialize;

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
}

/// An error with a stable code.
pub(crate) fn told(code: &str, message: &str) -> napi::Error {
    about(code, message, None)
}

fn about(code: &str, message: &str, instance: Option<&str>) -> napi::Error {
    let told = Told { code, message, instance };
    napi::Error::from_reason(serde_json::to_string(&told).unwrap_or_else(|_| message.to_owned()))
}

/// A store's error.
pub(crate) fn of_provider(error: &ProviderError) -> napi::Error {
    let code = match error {
        ProviderError::Busy { .. } => "STORE_BUSY",
        ProviderError::Full { .. } => "STORE_FULL",
        ProviderError::Unknown { .. } => "STORE_NO_ANSWER",
        ProviderError::Invalid { .. } => "INVALID",
        ProviderError::Corrupt { .. } => "STORE_CORRUPT",
        ProviderError::NotFound { what, .. } => {
            return about("INSTANCE_NOT_FOUND", &error.to_string(), Some(what));
        }
        ProviderError::Exists { what, .. } => {
            return about("INSTANCE_EXISTS", &error.to_string(), Some(what));
        }
        ProviderError::NewerSchema { .. } => "STORE_NEWER_SCHEMA",
        ProviderError::Unusable { .. } => "STORE_UNUSABLE",
    };
    told(code, &error.to_string())
}

/// A client's error.
pub(crate) fn of_client(error: &ClientError) -> napi::Error {
    match error {
        ClientError::NotFound { id } => {
            about("INSTANCE_NOT_FOUND", &error.to_string(), Some(id.as_str()))
        }
        ClientError::Exists { id } => {
            about("INSTANCE_EXISTS", &error.to_string(), Some(id.as_str()))
        }
        ClientError::Invalid { message } => told("INVALID", message),
        ClientError::Limit { message } => told("LIMIT", message),
        ClientError::Timeout => told("TIMEOUT", &error.to_string()),
        ClientError::Failed { failure } => told("ORCHESTRATION_FAILED", &failure.message),
        ClientError::Store { error } => of_provider(error),
    }
}

/// Something that this package itself wrote does not parse: a fault of ours.
pub(crate) fn internal(what: &str, error: &impl ToString) -> napi::Error {
    told("INTERNAL", &format!("{what}: {}", error.to_string()))
}
