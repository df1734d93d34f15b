//! The shared secret that a client shows and a server compares. Not here: who may do what;
//! whoever has the token may do everything.

use duroxide_provider::ProviderError;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// Bytes of a token at least: a shorter one can be guessed.
const MIN_BYTES: usize = 12;
/// Bytes of a token at most, so that a greeting fits its small frame however it is escaped.
const MAX_BYTES: usize = 512;

/// A shared secret. It is never printed, and is compared in time that does not depend on
/// where two tokens differ.
///
/// ```
/// use duroxide_remote::Token;
/// let token = Token::new("correct horse battery staple")?;
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert!(Token::new("").is_err() && Token::new("guess").is_err());
/// # Ok::<(), duroxide_provider::ProviderError>(())
/// ```
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// A token of 12 to 512 bytes; a shorter one is little protection and is refused, with an
    /// error that does not repeat it.
    pub fn new(secret: impl AsRef<str>) -> Result<Self, ProviderError> {
        let secret = secret.as_ref();
        if !(MIN_BYTES..=MAX_BYTES).contains(&secret.len()) {
            return Err(ProviderError::Unusable {
                operation: "remote".to_owned(),
                message: format!(
                    "a token has {MIN_BYTES} to {MAX_BYTES} bytes, this one has {}",
                    secret.len()
                ),
            });
        }
        Ok(Self(Arc::from(secret)))
    }

    /// For the greeting only.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is what the other side showed. How long it takes depends on what was shown
    /// alone: not on where it differs, nor on how long the token is.
    pub(crate) fn matches(&self, shown: &str) -> bool {
        let (known, shown) = (self.0.as_bytes(), shown.as_bytes());
        let differing = known
            .iter()
            .cycle()
            .zip(shown)
            .fold(0, |differing, (a, b)| black_box(differing | (a ^ b)));
        black_box(known.len() == shown.len()) & black_box(differing == 0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let token = Token::new("correct horse").unwrap();
        assert!(token.matches("correct horse"));
        for other in [
            "",
            "c",
            "correct hors",
            "correct horse ",
            "correct horsecorrect horse",
            "Correct horse",
            "correct horsE",
            "esroh tcerroc",
        ] {
            assert!(!token.matches(other), "{other}");
        }
    }

    #[test]
    fn a_token_too_short_or_too_long_is_refused_and_not_repeated() {
        for secret in [String::new(), "x7".repeat(5), "x7".repeat(257)] {
            let error = Token::new(&secret).unwrap_err().to_string();
            assert!(error.contains("12 to 512 bytes"), "{error}");
            assert!(!error.contains("x7"), "{error}");
        }
    }
}
