//! Guids that replay gives again: v4-shaped, SHA-256 of the execution's recorded nonce
//! and a counter in code order (the derivation of RFC 9562 §5.8, custom UUIDs, with the
//! version and variant bits of §5.4).

use crate::Nonce;
use sha2::{Digest, Sha256};

/// The `n`-th guid of an execution, as lower-case text with hyphens.
pub(crate) fn guid(nonce: Nonce, n: u64) -> String {
    let digest = Sha256::new().chain_update(nonce.0.to_le_bytes()).chain_update(n.to_le_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
