//! What was done to a disk, counted. Not here: doing it.

/// How often each kind of fault was delivered since the disk was made.
///
/// A power cut that found nothing unsynced is counted in [`power_cuts`](Self::power_cuts),
/// and moves nothing else: whoever wants to know that faults met work looks at the sectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Processes killed, those of power cuts not among them.
    pub kills: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Unsynced sectors that came back as they were on the platter.
    pub sectors_old: u64,
    /// Unsynced sectors that came back as they were written last.
    pub sectors_new: u64,
    /// Unsynced sectors that came back as they were in between.
    pub sectors_between: u64,
    /// Unsynced sectors whose written bytes came back as garbage.
    pub sectors_garbage: u64,
    /// Files whose length was unsynced at a power cut.
    pub sizes_unsynced: u64,
    /// Those of them that did not come back with their last length.
    pub sizes_lost: u64,
    /// Names created or deleted, and unsynced, at a power cut.
    pub names_unsynced: u64,
    /// Those of them that came back as before.
    pub names_lost: u64,
    /// Operations that failed with an IO error.
    pub io_errors: u64,
    /// Syncs among them: what they should have written is forgotten.
    pub failed_syncs: u64,
    /// Operations that found the disk full.
    pub disk_full: u64,
    /// Syncs that were answered and not made.
    pub lied_syncs: u64,
    /// Bits flipped.
    pub flipped_bits: u64,
    /// Operations made slow.
    pub slow: u64,
}
