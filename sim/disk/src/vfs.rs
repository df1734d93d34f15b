//! The VFS of a process, as SQLite calls it: names, time, randomness, sleep. Not here: open
//! files (`methods`), what a call does (`process`).
//!
//! SQLite keeps pointers to a VFS for as long as it likes. So they are never freed: a slot
//! is lent to a process, given back when nothing of the process is left, and lent again.
#![expect(unsafe_code, reason = "SQLite calls through pointers of C")]

use crate::methods;
use crate::operation::{Code, Role};
use crate::process::{Life, Opening};
use libsqlite3_sys as ffi;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The longest name of a file.
const MAX_NAME: usize = 512;

/// A registered VFS, and whose it is.
#[derive(Debug)]
pub(crate) struct Slot {
    name: CString,
    text: String,
    process: Mutex<Weak<Life>>,
}

struct Pool {
    made: usize,
    free: Vec<&'static Slot>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { made: 0, free: Vec::new() });

/// A slot for a process.
pub(crate) fn take_slot() -> &'static Slot {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = pool.free.pop() {
        return slot;
    }
    pool.made += 1;
    let text = format!("duroxide-sim-disk-{}", pool.made);
    let name = CString::new(text.clone()).unwrap_or_default();
    let slot: &'static Slot = Box::leak(Box::new(Slot { name, text, process: Mutex::default() }));
    register(slot);
    slot
}

/// Nothing of the slot's process is left.
pub(crate) fn give_back(slot: &'static Slot) {
    *slot.process.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    POOL.lock().unwrap_or_else(PoisonError::into_inner).free.push(slot);
}

impl Slot {
    pub(crate) fn lend(&self, process: &Arc<Life>) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(process);
    }

    pub(crate) fn name(&self) -> &str {
        &self.text
    }

    fn process(&self) -> Option<Arc<Life>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

fn register(slot: &'static Slot) {
    let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<methods::File>() as c_int,
        mxPathname: MAX_NAME as c_int,
        pNext: ptr::null_mut(),
        zName: slot.name.as_ptr(),
        pAppData: ptr::from_ref(slot).cast_mut().cast(),
        xOpen: Some(x_open),
        xDelete: Some(x_delete),
        xAccess: Some(x_access),
        xFullPathname: Some(x_full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(x_randomness),
        xSleep: Some(x_sleep),
        xCurrentTime: Some(x_current_time),
        xGetLastError: Some(x_get_last_error),
        xCurrentTimeInt64: Some(x_current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: the VFS and all that it points to are never freed. What is wrong when this
    // fails shows at the first connection, which finds no such VFS.
    unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
}

/// The process of a VFS that SQLite calls.
///
/// # Safety
/// The VFS is one of ours.
unsafe fn process_of(vfs: *mut ffi::sqlite3_vfs) -> Option<Arc<Life>> {
    // SAFETY: ours point to a slot that is never freed.
    let slot = unsafe { &*(*vfs).pAppData.cast::<Slot>() };
    slot.process()
}

/// A name that SQLite passes; none if it passes none.
///
/// # Safety
/// It is null or ends with a zero, and outlives the call.
unsafe fn name_of<'a>(name: *const c_char) -> Result<Option<&'a str>, Code> {
    if name.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().map(Some).map_err(|_| ffi::SQLITE_CANTOPEN)
}

/// A result as SQLite wants it.
pub(crate) fn code<T>(result: Result<T, Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

fn role_of(flags: c_int) -> Role {
    if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        Role::Database
    } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
        Role::Wal
    } else if flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0 {
        Role::Journal
    } else {
        Role::Temp
    }
}

unsafe extern "C" fn x_open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for `szOsFile` bytes. Without methods it is not closed.
    unsafe { methods::put(file, None) };
    // SAFETY: SQLite calls a VFS of ours, with a name or null.
    let (process, name) = unsafe { (process_of(vfs), name_of(name)) };
    let opened = name.and_then(|name| {
        let process = process.ok_or(ffi::SQLITE_CANTOPEN)?;
        process.open(&Opening {
            name,
            role: role_of(flags),
            create: flags & ffi::SQLITE_OPEN_CREATE != 0,
            new: flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
            delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
        })
    });
    match opened {
        Err(code) => code,
        Ok(handle) => {
            // SAFETY: as above; `out_flags` is null or may be written.
            unsafe {
                methods::put(file, Some(handle));
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
            }
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn x_delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    durably: c_int,
) -> c_int {
    // SAFETY: SQLite calls a VFS of ours, with a name.
    let (process, name) = unsafe { (process_of(vfs), name_of(name)) };
    match (process, name) {
        (Some(process), Ok(Some(name))) => code(process.delete(name, durably & 1 != 0)),
        (None, _) | (_, Ok(None) | Err(_)) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn x_access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls a VFS of ours, with a name.
    let (process, name) = unsafe { (process_of(vfs), name_of(name)) };
    let (Some(process), Ok(Some(name))) = (process, name) else {
        return ffi::SQLITE_IOERR_ACCESS;
    };
    let found = process.exists(name, flags == ffi::SQLITE_ACCESS_EXISTS);
    // SAFETY: SQLite passes where the answer goes.
    unsafe { *out = c_int::from(found == Ok(true)) };
    code(found)
}

unsafe extern "C" fn x_full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a name.
    let Ok(Some(name)) = (unsafe { name_of(name) }) else { return ffi::SQLITE_CANTOPEN };
    // There is one folder to be in: the root.
    let above = if name.starts_with('/') { "" } else { "/" };
    let full = format!("{above}{name}\0");
    if full.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for that many bytes, and is no part of `full`.
    unsafe { ptr::copy_nonoverlapping(full.as_ptr().cast(), out, full.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_randomness(
    vfs: *mut ffi::sqlite3_vfs,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite calls a VFS of ours.
    let Some(process) = (unsafe { process_of(vfs) }) else { return 0 };
    // SAFETY: `out` has room for `len` bytes.
    let out = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), len as usize) };
    process.shared.machine().entropy.fill(out);
    len
}

unsafe extern "C" fn x_sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // SAFETY: SQLite calls a VFS of ours.
    if let Some(process) = unsafe { process_of(vfs) } {
        process.shared.wait(Duration::from_micros(micros.max(0) as u64));
    }
    micros
}

/// The machine's clock as SQLite counts: in ms since a day in 4714 BC.
unsafe fn now_of(vfs: *mut ffi::sqlite3_vfs) -> i64 {
    const UNIX_EPOCH: i64 = 210_866_760_000_000;
    // SAFETY: the caller's promise.
    let process = unsafe { process_of(vfs) };
    UNIX_EPOCH + process.map_or(0, |process| process.shared.time_ms()) as i64
}

unsafe extern "C" fn x_current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite calls a VFS of ours, and passes where the answer goes.
    unsafe { *out = now_of(vfs) };
    ffi::SQLITE_OK
}

#[expect(clippy::cast_precision_loss, reason = "SQLite asks for the day as a fraction")]
unsafe extern "C" fn x_current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite calls a VFS of ours, and passes where the answer goes.
    unsafe { *out = now_of(vfs) as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_get_last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
