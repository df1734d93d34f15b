//! What this machine has: PostgreSQL's programs, and a user to run them as.

use crate::ClusterError;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian keeps one folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Programs that must be in one folder, so that they are of one version.
const SERVER: [&str; 3] = ["postgres", "initdb", "pg_ctl"];
/// Who may run the server if we are root, best first.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The folder with the programs of one PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The first on the path, else the newest of Debian's.
    pub(crate) fn find() -> Result<Self, ClusterError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = Self::among(std::env::split_paths(&path).chain(debian(Path::new(DEBIAN))));
        found.ok_or(ClusterError::NotInstalled)
    }

    fn among(mut folders: impl Iterator<Item = PathBuf>) -> Option<Self> {
        let folder =
            folders.find(|folder| SERVER.iter().all(|name| folder.join(name).is_file()))?;
        Some(Self { folder })
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(crate) fn pg_ctl(&self) -> PathBuf {
        self.folder.join("pg_ctl")
    }

    /// Beside the others, or wherever the path has it: it is a package of its own.
    pub(crate) fn psql(&self) -> PathBuf {
        let beside = self.folder.join("psql");
        if beside.is_file() { beside } else { "psql".into() }
    }
}

/// Debian's folders of programs, newest version first.
fn debian(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let version = |name: &str| name.parse::<f32>().ok();
    let mut versions: Vec<(f32, PathBuf)> = entries
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    versions.sort_by(|a, b| b.0.total_cmp(&a.0));
    versions.into_iter().map(|(_, path)| path.join("bin")).collect()
}

/// Whom the server runs as, if it cannot run as us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unprivileged(pub(crate) Option<(u32, u32)>);

impl Unprivileged {
    /// For us, whose user id is given.
    pub(crate) fn beside(ours: u32) -> Result<Self, ClusterError> {
        if ours != 0 {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = USERS.iter().find_map(|name| ids_of(&users, name));
        found.map(|ids| Self(Some(ids))).ok_or(ClusterError::NoUser)
    }

    /// A command that runs as this user, in a group of its own: what the terminal sends to
    /// ours (Ctrl-C) is not for it.
    pub(crate) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).current_dir("/").process_group(0);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    /// Make a file or a folder this user's.
    pub(crate) fn give(self, path: &Path) -> Result<(), ClusterError> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        chown(path, Some(user), Some(group))
            .map_err(|error| ClusterError::io(path.display().to_string(), error))
    }
}

/// User and group id in the text of `/etc/passwd`.
fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2);
    Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
}

/// What a program prints; if it fails, the error has it instead.
pub(crate) fn output(mut command: Command) -> Result<String, ClusterError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ClusterError::io(program.clone(), error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr)).trim().to_owned();
    Err(ClusterError::Failed { program, status: output.status, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_debians_versions_comes_first() {
        let root = std::env::temp_dir().join(format!("versions-{}", std::process::id()));
        for version in ["9.6", "15", "14", "common"] {
            fs::create_dir_all(root.join(version)).unwrap();
        }
        let found = debian(&root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, ["15", "14", "9.6"].map(|version| root.join(version).join("bin")));
    }

    #[test]
    fn a_folder_without_a_server_is_passed_over() {
        assert!(Binaries::among([PathBuf::from("/"), "/nonexistent".into()].into_iter()).is_none());
    }

    #[test]
    fn without_a_server_the_error_names_debians_package() {
        let message = ClusterError::NotInstalled.to_string();
        assert!(message.contains("apt-get install postgresql"), "{message}");
    }

    #[test]
    fn root_runs_the_server_as_somebody_else_and_others_as_themselves() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(ids_of(users, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(users, "nobody"), None);
        assert_eq!(Unprivileged::beside(1000).unwrap(), Unprivileged(None));
    }
}
