//! What the kernel says of a process and of the disk: nothing here asks the process. Linux
//! only, by `/proc`.

use crate::result::{Failure, Outside};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ticks of `/proc/PID/stat`: a constant of the kernel's interface.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where `/proc/diskstats` counts flushes, from 0 (Linux 5.5 and newer).
const FLUSHES: usize = 18;

/// The disk that a folder is on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    major: u64,
    minor: u64,
}

impl Disk {
    /// Of this folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let device = fs::metadata(folder).map_err(Failure::file(folder))?.dev();
        // As the kernel packs them for user space.
        let major = (device >> 8) & 0xfff;
        let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
        Ok(Self { major, minor })
    }

    /// How often its cache was flushed since the machine began.
    pub(crate) fn flushes(self) -> Result<u64, Failure> {
        let path = Path::new("/proc/diskstats");
        let text = fs::read_to_string(path).map_err(Failure::file(path))?;
        let ours = [self.major.to_string(), self.minor.to_string()];
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|fields| fields.len() > FLUSHES && fields[..2] == ours);
        let count = line.and_then(|fields| fields[FLUSHES].parse().ok());
        count.ok_or_else(|| Failure::said("the kernel does not count the flushes of this disk"))
    }
}

/// The file system of a folder; nothing in memory is a disk.
pub(crate) fn file_system(folder: &Path) -> Result<String, Failure> {
    let mut command = Command::new("stat");
    command.args(["--file-system", "--format=%T"]).arg(folder);
    let output = command.output().map_err(Failure::file(Path::new("stat")))?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if matches!(name.as_str(), "tmpfs" | "ramfs" | "overlayfs" | "") {
        let folder = folder.display();
        return Err(Failure::said(format!(
            "{folder} is on `{name}`, where a sync is no sync: name a folder on a disk with --folder"
        )));
    }
    Ok(name)
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    cpu_seconds: f64,
    written_bytes: u64,
    peak_rss_mb: f64,
    flushes: u64,
}

impl Used {
    /// Up to now.
    pub(crate) fn by(process: u32, disk: Disk) -> Result<Self, Failure> {
        let read = |file: &str| {
            let path = PathBuf::from(format!("/proc/{process}/{file}"));
            fs::read_to_string(&path).map_err(Failure::file(&path))
        };
        let (stat, io, status) = (read("stat")?, read("io")?, read("status")?);
        // The name in brackets may hold spaces.
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| -> f64 {
            fields.get(field).and_then(|ticks| ticks.parse().ok()).unwrap_or_default()
        };
        let named = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Ok(Self {
            cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
            written_bytes: named(&io, "write_bytes:"),
            peak_rss_mb: named(&status, "VmHWM:") as f64 / 1_024.0,
            flushes: disk.flushes()?,
        })
    }

    /// Between then and now; the peak is that of the process's whole life.
    pub(crate) fn since(self, then: Self) -> Outside {
        Outside {
            flushes: self.flushes - then.flushes,
            cpu_seconds: self.cpu_seconds - then.cpu_seconds,
            written_bytes: self.written_bytes - then.written_bytes,
            peak_rss_mb: self.peak_rss_mb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_a_flush_and_a_write_is_counted() {
        let folder = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
        let disk = Disk::of(&folder).unwrap();
        let path = folder.join(format!("flushed-{}", std::process::id()));
        let before = Used::by(std::process::id(), disk).unwrap();
        for n in 0..10 {
            let file = fs::File::create(&path).unwrap();
            std::io::Write::write_all(&mut &file, &[n; 8_192]).unwrap();
            file.sync_all().unwrap();
        }
        fs::remove_file(&path).unwrap();
        let used = Used::by(std::process::id(), disk).unwrap().since(before);
        assert!(used.flushes >= 10, "{used:?}");
        assert!(used.written_bytes >= 10 * 8_192, "{used:?}");
    }

    #[test]
    fn a_folder_in_memory_is_refused() {
        let refused = file_system(Path::new("/dev/shm")).unwrap_err().to_string();
        assert!(refused.contains("tmpfs"), "{refused}");
    }
}
