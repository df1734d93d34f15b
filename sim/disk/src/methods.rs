//! Open files, as SQLite calls them. Not here: what a call does (`handle`).
#![expect(unsafe_code, reason = "SQLite calls through pointers of C")]

use crate::handle::Handle;
use crate::locks::Level;
use crate::vfs::code;
use libsqlite3_sys as ffi;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{Ordering, fence};

/// An open file in the memory that SQLite keeps for it.
#[repr(C)]
pub(crate) struct File {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// What the real VFS says on Linux: a write that loses power damages no byte beside it, and
/// parts of pages may be read.
const CHARACTERISTICS: c_int =
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ;
/// Not what the disk writes at once: what SQLite keeps apart.
const SECTOR_SIZE: c_int = 4096;

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Make a file of SQLite's an open one, or a closed one.
///
/// # Safety
/// There is room for a [`File`], and no open one there.
pub(crate) unsafe fn put(file: *mut ffi::sqlite3_file, handle: Option<Handle>) {
    let methods: *const _ = if handle.is_some() { &raw const METHODS } else { ptr::null() };
    let handle = handle.map_or(ptr::null_mut(), |handle| Box::into_raw(Box::new(handle)));
    let ours = File { base: ffi::sqlite3_file { pMethods: methods }, handle };
    // SAFETY: the caller's promise; SQLite aligns the room for pointers.
    unsafe { file.cast::<File>().write(ours) };
}

/// The handle of an open file.
///
/// # Safety
/// The file is open and one of ours. SQLite uses a file on one thread at a time.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: the caller's promise; the handle lives until `xClose`.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

// Throughout: SQLite calls methods only on files that `xOpen` has opened with them, until it
// has called `xClose`.

unsafe extern "C" fn x_close(file: *mut ffi::sqlite3_file) -> c_int {
    let ours = file.cast::<File>();
    // SAFETY: an open file of ours; its handle came from a box, and is taken out of it once.
    let handle = unsafe { Box::from_raw(ptr::replace(&raw mut (*ours).handle, ptr::null_mut())) };
    handle.close();
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: an open file of ours, and a buffer of that length.
    let (handle, buffer) =
        unsafe { (handle(file), slice::from_raw_parts_mut(buffer.cast::<u8>(), len as usize)) };
    match handle.read(offset as u64, buffer) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(code) => code,
    }
}

unsafe extern "C" fn x_write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: an open file of ours, and so many bytes.
    let (handle, bytes) =
        unsafe { (handle(file), slice::from_raw_parts(bytes.cast::<u8>(), len as usize)) };
    code(handle.write(offset as u64, bytes))
}

unsafe extern "C" fn x_truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: an open file of ours.
    code(unsafe { handle(file) }.truncate(len as u64))
}

// Without the length a file's bytes could not be read: `SQLITE_SYNC_DATAONLY` brings it to the
// platter too, and the real VFS makes no difference either.
unsafe extern "C" fn x_sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file of ours.
    code(unsafe { handle(file) }.sync())
}

unsafe extern "C" fn x_file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: an open file of ours.
    let size = unsafe { handle(file) }.size();
    if let Ok(size) = size {
        // SAFETY: SQLite passes where the answer goes.
        unsafe { *out = size as i64 };
    }
    code(size)
}

fn level(number: c_int) -> Level {
    match number {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        ffi::SQLITE_LOCK_PENDING => Level::Pending,
        _ => Level::Exclusive,
    }
}

unsafe extern "C" fn x_lock(file: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: an open file of ours.
    code(unsafe { handle(file) }.lock(level(wanted)))
}

unsafe extern "C" fn x_unlock(file: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: an open file of ours.
    code(unsafe { handle(file) }.unlock(level(wanted)))
}

unsafe extern "C" fn x_check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: an open file of ours.
    let reserved = unsafe { handle(file) }.is_reserved();
    // SAFETY: SQLite passes where the answer goes.
    unsafe { *out = c_int::from(reserved == Ok(true)) };
    code(reserved)
}

unsafe extern "C" fn x_file_control(
    file: *mut ffi::sqlite3_file,
    what: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    let answer = match what {
        ffi::SQLITE_FCNTL_LOCKSTATE => handle.level() as c_int,
        ffi::SQLITE_FCNTL_HAS_MOVED => c_int::from(handle.has_moved()),
        ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE => 1,
        ffi::SQLITE_FCNTL_EXTERNAL_READER | ffi::SQLITE_FCNTL_LAST_ERRNO => 0,
        ffi::SQLITE_FCNTL_PERSIST_WAL => {
            // SAFETY: these take a pointer to a number, which is negative to ask.
            match unsafe { *argument.cast::<c_int>() } {
                number if number < 0 => {}
                number => handle.keep_wal = number != 0,
            }
            c_int::from(handle.keep_wal)
        }
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE => return ffi::SQLITE_OK,
        _ => return ffi::SQLITE_NOTFOUND,
    };
    // SAFETY: as above.
    unsafe { *argument.cast::<c_int>() = answer };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_SIZE
}

unsafe extern "C" fn x_device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    CHARACTERISTICS
}

unsafe extern "C" fn x_shm_map(
    file: *mut ffi::sqlite3_file,
    number: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: an open file of ours.
    let region = unsafe { handle(file) }.map_shm(number as usize, bytes as usize, extend != 0);
    let start = region.ok().flatten().map_or(ptr::null_mut(), <*mut u64>::cast);
    // SAFETY: SQLite passes where the answer goes.
    unsafe { *out = start };
    code(region)
}

unsafe extern "C" fn x_shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    let slots = first as usize..(first + count) as usize;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        code(handle.unlock_shm(slots))
    } else {
        code(handle.lock_shm(slots, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0))
    }
}

unsafe extern "C" fn x_shm_barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn x_shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file of ours.
    unsafe { handle(file) }.unmap_shm();
    ffi::SQLITE_OK
}
