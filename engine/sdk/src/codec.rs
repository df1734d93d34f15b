//! User values to payloads and back: JSON by serde, encoded once. Not here: any other
//! encoding, which a payload's tag leaves room for.

use duroxide_core::{Failure, FailureKind, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// The value as JSON. `what` names it in the failure.
pub(crate) fn encode<T: Serialize + ?Sized>(
    what: impl fmt::Display,
    value: &T,
) -> Result<Payload, Failure> {
    match serde_json::to_string(value) {
        Ok(text) => Ok(Payload::json(text)),
        Err(error) => {
            Err(Failure::new(FailureKind::Invalid, format!("{what} is not JSON: {error}")))
        }
    }
}

/// The value that a payload holds. `what` names it in the failure.
pub(crate) fn decode<T: DeserializeOwned>(
    what: impl fmt::Display,
    payload: &Payload,
) -> Result<T, Failure> {
    let invalid = |problem: String| {
        Failure::new(FailureKind::Invalid, format!("{what} cannot be read: {problem}"))
    };
    let Some(text) = payload.as_json() else {
        return Err(invalid(format!("its encoding is {}, not JSON", payload.encoding().0)));
    };
    serde_json::from_str(text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duroxide_core::Encoding;

    #[test]
    fn text_stays_text_and_nothing_arrives_as_null() {
        assert_eq!(encode("x", "42").unwrap().as_json(), Some("\"42\""));
        assert_eq!(encode("x", &()).unwrap(), Payload::null());
        assert_eq!(decode::<String>("x", &Payload::json("\"42\"")).unwrap(), "42");
        decode::<()>("x", &Payload::null()).unwrap();
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named_in_the_failure() {
        let failure = decode::<u32>("the input of 'Charge'", &Payload::json("\"a\"")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(failure.message.starts_with("the input of 'Charge' cannot be read: "), "{failure}");
        let sealed = Payload::new(Encoding(7), b"\x00");
        assert!(decode::<u32>("x", &sealed).unwrap_err().message.contains("encoding is 7"));
    }
}
