//! The shared secret that a client shows and a server compares. Not here: who may do what;
//! whoever has the token may do everything.

use duroxide_provider::ProviderError;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// Bytes of a token at most, so that a greeting fits its small frame however it is escaped.
const MAX_BYTES: usize = 512;

/// A shared secret. It is never printed, and is compared in time that does not depend on
/// where two tokens differ.
///
/// ```
/// use duroxide_remote::Token;
/// let token = Token::new("correct horse battery staple")?;
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert!(Token::new("").is_err());
/// # Ok::<(), duroxide_provider::ProviderError>(())
/// ```
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// A token of 1 to 512 bytes; an empty one is no protection and is refused.
    pub fn new(secret: impl AsRef<str>) -> Result<Self, ProviderError> {
        let secret = secret.as_ref();
        if secret.is_empty() || secret.len() > MAX_BYTES {
            return Err(ProviderError::Unusable {
                operation: "remote".to_owned(),
                message: format!(
                    "a token has 1 to {MAX_BYTES} bytes, this one has {}",
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

    /// Whether this is what the other side showed. Reads every byte in any case; only the
    /// length can be learnt from the time it takes.
    pub(crate) fn matches(&self, shown: &str) -> bool {
        let (known, shown) = (self.0.as_bytes(), shown.as_bytes());
        let differing =
            known.iter().zip(shown).fold(0, |differing, (a, b)| black_box(differing | (a ^ b)));
        known.len() == shown.len() && differing == 0
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
        let token = Token::new("secret").unwrap();
        assert!(token.matches("secret"));
        for other in ["", "secre", "secret2", "Secret", "terces"] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
