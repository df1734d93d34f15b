//! Recorded histories as JSON files, one for each scenario and build. See the crate's
//! description for how the corpus grows. Not here: what replaying them must give.

use duroxide_core::Event;
use duroxide_scenarios::by_hand::{Recording, play};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Names every file with its digest, as `sha256sum -c` reads it: none is edited or removed
/// without a line here that says so.
pub const SUMS: &str = "SHA256SUMS";

/// The version of this build.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// A file of the corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The scenario that was played.
    pub scenario: String,
    /// The version of the build that played it.
    pub build: String,
    /// The instance, then its children.
    pub instances: Vec<Instance>,
}

/// One recorded instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// The events of its executions, as stores keep them.
    pub executions: Vec<Vec<Event>>,
}

impl Entry {
    /// What this build records of a scenario.
    pub fn new(scenario: &str, recordings: Vec<Recording>) -> Self {
        let instance = |Recording { instance, executions }| Instance { id: instance, executions };
        Self {
            scenario: scenario.to_owned(),
            build: BUILD.to_owned(),
            instances: recordings.into_iter().map(instance).collect(),
        }
    }

    /// Where it is kept.
    pub fn file_name(&self) -> String {
        format!("{}-{}.json", self.scenario, self.build)
    }

    /// As JSON, one line an event.
    fn to_json(&self) -> serde_json::Result<String> {
        let mut instances = Vec::new();
        for Instance { id, executions } in &self.instances {
            let mut histories = Vec::new();
            for history in executions {
                let events: Result<Vec<_>, _> = history.iter().map(serde_json::to_string).collect();
                histories.push(format!("[\n{}\n]", events?.join(",\n")));
            }
            let (id, histories) = (serde_json::to_string(id)?, histories.join(", "));
            instances.push(format!("{{\"id\": {id}, \"executions\": [{histories}]}}"));
        }
        let scenario = serde_json::to_string(&self.scenario)?;
        let build = serde_json::to_string(&self.build)?;
        let instances = instances.join(",\n");
        Ok(format!(
            "{{\"scenario\": {scenario}, \"build\": {build}, \"instances\": [\n{instances}\n]}}\n"
        ))
    }
}

/// The folder of the corpus.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The files of a folder, in order; not the list of them.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder)? {
        files.push(file?.path());
    }
    files.retain(|file| !file.ends_with(SUMS));
    files.sort();
    Ok(files)
}

/// What the list of a folder's files must say: a line for each.
pub fn sums(folder: &Path) -> io::Result<Vec<String>> {
    files(folder)?.iter().map(|file| sum(file)).collect()
}

fn sum(file: &Path) -> io::Result<String> {
    let mut line = String::new();
    for byte in Sha256::digest(fs::read(file)?) {
        // Writing to a String cannot fail.
        let _ = write!(line, "{byte:02x}");
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{line}  {name}"))
}

/// Every file of a folder, by name.
pub fn read(folder: &Path) -> io::Result<Vec<(PathBuf, Entry)>> {
    let files = files(folder)?;
    let read = |path: PathBuf| {
        let entry = serde_json::from_slice(&fs::read(&path)?)?;
        Ok((path, entry))
    };
    files.into_iter().map(read).collect()
}

/// Records every scenario of which this build has no file yet, lists and gives the new files. A file
/// that is there is never touched.
pub fn record_missing(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    let mut list = fs::OpenOptions::new().create(true).append(true).open(folder.join(SUMS))?;
    for scenario in duroxide_scenarios::all() {
        let played = play(&scenario).map_err(io::Error::other)?;
        let entry = Entry::new(scenario.name, played.recordings());
        let path = folder.join(entry.file_name());
        match fs::File::create_new(&path) {
            Ok(mut file) => file.write_all(entry.to_json()?.as_bytes())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        writeln!(list, "{}", sum(&path)?)?;
        written.push(path);
    }
    Ok(written)
}
