//! A machine's disk, as its owner sees it: processes, faults, what was counted.

use crate::counts::Counts;
use crate::machine::Machine;
use crate::operation::{Code, Kind, Operation, Strike, Verdict};
use crate::process::Process;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// Told of each call before it acts; what it answers becomes of it. It must not panic: it is
/// called from within SQLite.
pub type Hook = Arc<dyn Fn(&Operation<'_>) -> Verdict + Send + Sync>;

/// Where the clock of a machine begins, in ms since the Unix epoch.
const BEGINS_MS: u64 = 1_750_000_000_000;

/// The disk of one machine, in memory. It outlives the [processes](Process) on it.
///
/// ```
/// use duroxide_sim_disk::Disk;
/// use rusqlite::{Connection, OpenFlags};
///
/// # fn main() -> rusqlite::Result<()> {
/// let disk = Disk::new(1);
/// let process = disk.process();
/// let sql =
///     Connection::open_with_flags_and_vfs("/app.db", OpenFlags::default(), process.vfs())?;
/// sql.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)")?;
///
/// disk.cut_power();
/// assert!(sql.execute_batch("INSERT INTO t VALUES (2)").is_err());
///
/// let process = disk.process();
/// let sql =
///     Connection::open_with_flags_and_vfs("/app.db", OpenFlags::default(), process.vfs())?;
/// let sum: i64 = sql.query_row("SELECT sum(x) FROM t", [], |row| row.get(0))?;
/// assert_eq!(sum, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Disk(pub(crate) Arc<Shared>);

/// What a disk and the processes on it share.
pub(crate) struct Shared {
    machine: Mutex<Machine>,
    hook: RwLock<Option<Hook>>,
    latency_us: AtomicU64,
    time_ms: AtomicU64,
}

impl Shared {
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.latency_us.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// What the hook says to a call.
    pub(crate) fn ask(&self, operation: &Operation<'_>) -> Verdict {
        let hook = self.hook.read().unwrap_or_else(PoisonError::into_inner);
        hook.as_ref().map_or(Verdict::Go, |hook| hook(operation))
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// An empty disk. All that befalls it by chance comes from the seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Shared {
            machine: Mutex::new(Machine::new(seed)),
            hook: RwLock::new(None),
            latency_us: AtomicU64::new(0),
            time_ms: AtomicU64::new(BEGINS_MS),
        }))
    }

    /// A new process on this machine.
    pub fn process(&self) -> Process {
        Process::begin(Arc::clone(&self.0))
    }

    /// All processes die: each later call by them fails and changes nothing, also those of
    /// destructors. Files stay as the operating system's cache has them.
    pub fn kill(&self) {
        self.0.machine().kill_all();
    }

    /// All processes die, and each sector that was not synced comes back old, new, as it was
    /// in between, or with garbage in the bytes that were written. Lengths, new names and
    /// deletions that were not synced may be as before.
    pub fn cut_power(&self) {
        self.0.machine().cut_power();
    }

    /// A verdict for a call to come.
    pub fn strike(&self, strike: Strike) {
        self.0.machine().strikes.push(strike);
    }

    /// Forget the strikes that have not met their call, and the hook.
    pub fn heal(&self) {
        let mut machine = self.0.machine();
        machine.strikes.clear();
        machine.capacity = None;
        machine.lying = false;
        drop(machine);
        *self.0.hook.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Have each call told before it acts. A hook that says [`Verdict::Go`] leaves the call
    /// to the strikes.
    pub fn on_operation(&self, hook: Hook) {
        *self.0.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    /// Files may grow by so many bytes from now on, all together; none is without a limit.
    pub fn set_free_space(&self, bytes: Option<u64>) {
        let mut machine = self.0.machine();
        machine.capacity = bytes.map(|bytes| machine.files.used() + bytes);
    }

    /// Whether syncs are answered and not made.
    pub fn set_lying(&self, lying: bool) {
        self.0.machine().lying = lying;
    }

    /// Flip a bit of a file, chosen by the seed among those that are on the platter. Gives
    /// where: the byte, and the bit in it; none if the file has no such byte.
    pub fn rot(&self, file: &str) -> Option<(u64, u32)> {
        let mut machine = self.0.machine();
        let machine = &mut *machine;
        let content = &mut machine.files.named(file)?.content;
        let durable: Vec<usize> = (0..content.len())
            .step_by(crate::content::SECTOR)
            .filter(|start| content.is_durable(*start))
            .collect();
        let start = match durable.len() {
            0 => return None,
            sectors => durable[machine.rot.below(sectors as u64) as usize],
        };
        let end = content.len().min(start + crate::content::SECTOR);
        let offset = start + machine.rot.below((end - start) as u64) as usize;
        let bit = machine.rot.below(8) as u32;
        content.flip(offset, bit);
        machine.counts.flipped_bits += 1;
        Some((offset as u64, bit))
    }

    /// Flip one bit of a file. Nothing if there is no such byte.
    pub fn flip_bit(&self, file: &str, offset: u64, bit: u32) {
        let mut machine = self.0.machine();
        if let Some(file) = machine.files.named(file) {
            file.content.flip(offset as usize, bit);
            machine.counts.flipped_bits += 1;
        }
    }

    /// What was done to this disk.
    pub fn counts(&self) -> Counts {
        self.0.machine().counts
    }

    /// How many calls there were.
    pub fn operations(&self) -> u64 {
        self.0.machine().operations
    }

    /// A hash of all calls so far: what was done to which kind of file, where, how much, in
    /// which order. Not of the bytes: SQLite draws salts of its own.
    pub fn trace(&self) -> u64 {
        self.0.machine().trace
    }

    /// The time that SQLite slept and slow calls took, since this was asked last.
    pub fn take_latency(&self) -> Duration {
        Duration::from_micros(self.0.latency_us.swap(0, Ordering::Relaxed))
    }

    /// Set the machine's clock, which SQLite asks for the time; in ms since the Unix epoch.
    pub fn set_time_ms(&self, now: u64) {
        self.0.time_ms.store(now, Ordering::Relaxed);
    }

    /// The names of all files, in order.
    pub fn files(&self) -> Vec<String> {
        self.0.machine().files.names().cloned().collect()
    }

    /// The bytes of a file as a process would read them; none if there is no such file.
    pub fn bytes(&self, file: &str) -> Option<Vec<u8>> {
        self.0.machine().files.named(file).map(|file| file.content.bytes().to_vec())
    }

    /// Put a file there, on the platter: a copy of another one, or a file of the past.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        let mut machine = self.0.machine();
        let id = machine.files.find(file).unwrap_or_else(|| machine.files.create(Some(file)));
        machine.files.file(id).content.truncate(0);
        machine.files.file(id).content.write(0, bytes);
        machine.files.sync(id, Some(file));
    }

    /// How many sectors are not on the platter yet.
    pub fn unsynced(&self) -> usize {
        self.0.machine().files.unsynced()
    }
}

/// What a call that a dead process makes gets.
pub(crate) fn dead(kind: Kind) -> Code {
    kind.io_error()
}
