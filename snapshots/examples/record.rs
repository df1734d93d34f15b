//! Adds to the corpus what this build has not recorded yet, and says what. Files that are
//! there stay as they are.

use duroxide_snapshots::corpus;
use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let written = corpus::record_missing(&corpus::folder())?;
    let mut out = io::stdout().lock();
    for path in &written {
        writeln!(out, "recorded {}", path.display())?;
    }
    writeln!(out, "{} new, the others are there already", written.len())
}
